"""The sender over real servers: at least once, patient with who fails, and nobody waits for another."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from fleet_server import alerts, queries
from fleet_server.alerts import State
from fleet_server.notify import sender
from fleet_server.notify.channel import Channel
from fleet_server.notify.mail import Mail, MailSettings
from fleet_server.notify.sender import Sender
from fleet_server.notify.webhook import Webhook, WebhookSettings
from fleet_server.store import Store
from tests.fleet_server.notify.receivers import ALERT, SECRET, Drip, Hook
from tests.fleet_server.notify.test_mail import Inbox, Post
from tests.fleet_server.served import until
from wire.messages import AlertNotice, decode

QUICK = {"retry_first_s": 0.02, "retry_most_s": 0.1}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "fleet.db")
    yield opened
    opened.close()


@pytest.fixture
def send(store: Store) -> Iterator[Callable]:
    """``send(channel, ...)`` starts a sender that ends with the test."""
    started: list[Sender] = []

    def start(*channels: Channel) -> Sender:
        made = Sender(store, channels, poll_s=0.02)
        made.start()
        started.append(made)
        return made

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def webhook(tmp_path: Path) -> Callable[..., Webhook]:
    file = tmp_path / "secret"
    file.write_text(SECRET)

    def make(url: str, name: str = "ops", **keys: object) -> Webhook:
        return Webhook(WebhookSettings(name=name, url=url, secret_file=str(file), **{**QUICK, **keys}))

    return make


def see(store: Store, **changes: object) -> int:
    alert = type(ALERT)(**{**{f: getattr(ALERT, f) for f in ALERT.__struct_fields__}, **changes})
    return store.write(lambda db: alerts.raise_alert(db, time.time(), alert))


def delivered(store: Store, channel: str = "ops") -> int:
    row = store.row("SELECT delivered FROM alert_channels WHERE name = ?", (channel,))
    return row["delivered"] if row else 0


def test_a_webhook_that_fails_five_times_is_told_in_the_end_with_one_id(
    store: Store, send: Callable, webhook: Callable
) -> None:
    with Hook(500, 503, 404, 302, 500) as hook:
        number = see(store)
        send(webhook(hook.url))
        until(lambda: delivered(store) == 1, "delivered")
        assert len(hook.requests) == 6
        assert len({headers["webhook-id"] for _, headers, _ in hook.requests}) == 1
        assert len({body for *_, body in hook.requests}) == 1
    (told,) = queries.alert(store, number)["deliveries"]
    assert (told["state"], told["attempts"]) == ("delivered", 6)


def test_a_channel_that_hangs_holds_up_no_other(store: Store, send: Callable, webhook: Callable) -> None:
    with Drip(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 60) as drip, Hook() as hook:
        send(webhook(f"http://127.0.0.1:{drip.port}/", "slow", timeout_s=60), webhook(hook.url))
        see(store)
        until(lambda: drip.connections == 1, "the slow one is asked")
        until(lambda: delivered(store) == 1, "the other is told meanwhile")
        assert delivered(store, "slow") == 0


def test_a_server_that_stops_does_not_wait_for_who_hangs(
    store: Store, send: Callable, webhook: Callable
) -> None:
    with Drip(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 60) as drip:
        started = send(webhook(f"http://127.0.0.1:{drip.port}/", timeout_s=60))
        see(store)
        until(lambda: drip.connections == 1, "it is asked")
        begin = time.monotonic()
        started.stop()
        assert time.monotonic() - begin < 5
    assert store.row("SELECT state FROM alert_deliveries")["state"] == "waiting"
    assert see(store, key="another") == 2, "the database still takes changes"


def test_what_was_sent_and_not_written_down_is_sent_again_with_the_same_id(
    store: Store, send: Callable, webhook: Callable
) -> None:
    with Hook() as hook:
        first = send(webhook(hook.url))
        see(store)
        until(lambda: delivered(store) == 1, "delivered")
        first.stop()
        store.write(lambda db: db.execute("UPDATE alert_deliveries SET state = 'waiting'"))  # as after a kill
        send(webhook(hook.url))
        until(lambda: len(hook.requests) == 2, "sent again")
        assert hook.requests[0][1]["webhook-id"] == hook.requests[1][1]["webhook-id"]


def test_alerts_at_the_same_time_are_one_mail(store: Store, send: Callable) -> None:
    inbox = Inbox()
    controller: Controller = Post(inbox)
    controller.start()
    try:
        for i in range(50):
            see(store, key=str(i), message=f"alert number {i}.")
        settings = MailSettings(
            name="mail", host="127.0.0.1", port=controller.port, tls="none", sender="a@b.org", to=("c@d.org",)
        )
        send(Mail(settings))
        until(lambda: delivered(store, "mail") == 50, "all are told")
        text = inbox.read().get_content()
        assert all(f"alert number {i}." in text for i in range(50))
    finally:
        controller.stop()


def test_an_alert_is_told_from_its_opening_to_its_end(
    store: Store, send: Callable, webhook: Callable
) -> None:
    with Hook() as hook:
        send(webhook(hook.url))
        number = see(store)
        for state in (State.ACKNOWLEDGED, State.RESOLVED):
            until(lambda state=state: len(hook.requests) == list(State).index(state), "told so far")
            store.write(
                lambda db, state=state: alerts.change(db, number, state, time.time(), "ann", "because")
            )
        until(lambda: len(hook.requests) == 3, "told all")
    told = [decode(AlertNotice, body) for *_, body in hook.requests]
    assert [notice.event for notice in told] == ["opened", "acknowledged", "resolved"]
    assert (told[-1].by, told[-1].note) == ("ann", "because")
    assert len({notice.id for notice in told}) == 3


def test_a_channel_that_fails_for_long_is_an_alert_until_it_works(
    store: Store, send: Callable, webhook: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "COMPLAIN_AFTER_S", 0.0)
    with Hook(*[503] * 8) as hook:
        see(store)
        send(webhook(hook.url))
        until(lambda: queries.alerts(store, kind="delivery"), "somebody complains")
        until(lambda: queries.alerts(store, "resolved", kind="delivery"), "it works again")
    (complaint,) = queries.alerts(store, kind="delivery")
    where = hook.url.removesuffix("/hook")
    assert complaint["message"] == f"channel ops ({where}) does not take notices: answered 503"


def test_a_channel_that_raises_anything_goes_on(
    store: Store, send: Callable, webhook: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hook() as hook:
        channel = webhook(hook.url)
        real, failures = channel.send, [RuntimeError("a bug"), KeyError("another")]

        async def broken(notices: object) -> str:
            if failures:
                raise failures.pop()
            return await real(notices)

        monkeypatch.setattr(channel, "send", broken)
        send(channel)
        see(store)
        until(lambda: delivered(store) == 1, "delivered")
