"""Silent devices: grouped by when it began, never moved between causes, and nobody blamed for our own."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_server import alerts, queries, tags
from fleet_server.alerts import State
from fleet_server.fleet import Fleet
from fleet_server.settings import Settings
from fleet_server.silence import Silence, attribute, gap_s
from fleet_server.silence_watch import Policy, Watch
from tests.fleet_server.served import Served, until
from tests.fleet_server.site import Site
from wire.errors import InputError
from wire.states import Presence

NAMES = st.sampled_from([f"d{i}" for i in range(8)])
LOOKS = st.lists(st.dictionaries(NAMES, st.integers(0, 300).map(float)), max_size=8)
POLICY = Policy(after_s=100.0)


@given(LOOKS, st.floats(1, 60))
def test_each_silent_device_has_one_cause_and_keeps_it(looks: list[dict[str, float]], gap: float) -> None:
    known: dict[str, Silence] = {}
    for silent in looks:
        after = attribute(known, silent, gap)
        assert {device: s.since for device, s in after.items()} == silent
        for device, before in known.items():
            if silent.get(device) == before.since:
                assert after[device] == before
        known = after


@given(st.dictionaries(NAMES, st.integers(0, 300).map(float), min_size=1), st.floats(1, 60))
def test_causes_are_as_far_apart_as_the_gap(silent: dict[str, float], gap: float) -> None:
    times: dict[str, list[float]] = {}
    for s in attribute({}, silent, gap).values():
        times.setdefault(s.cause, []).append(s.since)
    spans = sorted((min(t), max(t)) for t in times.values())
    for (_, last), (first, _) in pairwise(spans):
        assert first - last > gap
    for each in times.values():
        ordered = sorted(each)
        assert all(b - a <= gap for a, b in pairwise(ordered))


def test_a_new_outage_is_not_hidden_in_an_old_one() -> None:
    old = attribute({}, {"a": 0.0}, 10)
    both = attribute(old, {"a": 0.0, "b": 500.0, "c": 505.0}, 10)
    assert both["a"].cause != both["b"].cause == both["c"].cause


def test_a_device_that_comes_back_and_goes_again_names_its_cause_as_before() -> None:
    first = attribute({}, {"a": 0.0}, 10)
    again = attribute(first, {"a": 500.0}, 10)
    assert again["a"] == Silence(first["a"].cause, 500.0)
    shared = attribute({}, {"a": 0.0, "b": 1.0}, 10)
    apart = attribute(shared, {"a": 500.0, "b": 1.0}, 10)
    assert apart["a"].cause != apart["b"].cause


def test_who_left_before_anybody_watched_shares_one_cause() -> None:
    old = {f"d{i}": 1000.0 * i for i in range(50)}
    found = attribute({}, {**old, "new": 90_000.0}, 10, old_before=80_000.0)
    assert len({found[device].cause for device in old}) == 1
    assert found["new"].cause not in {found[device].cause for device in old}


def test_the_gap_follows_the_policy() -> None:
    assert [gap_s(after) for after in (1.0, 600.0, 86400.0)] == [1.0, 60.0, 900.0]


class Hall:
    """Devices in a hall, and a watch over them."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.watch = Watch(POLICY)

    def pass_time(self, seconds: float, *, heard: tuple[str, ...] = (), listening: bool = True) -> None:
        for _ in range(int(seconds // 10)):
            self.site.now += 10
            for name in heard:
                self.site.report(name, None, None)
            self.watch.tick(self.site.store, self.site.now, listening=listening)

    def alerts(self) -> list[dict]:
        return queries.alerts(self.site.store, kind="silent")


@pytest.fixture
def hall(site: Site) -> Hall:
    site.hello(*(f"d{i}" for i in range(6)))
    return Hall(site)


def test_an_outage_of_many_is_one_alert_that_names_them_and_ends_by_itself(hall: Hall) -> None:
    hall.pass_time(200, heard=("d0", "d1", "d2", "d3"))
    (alert,) = hall.alerts()
    assert alert["message"] == "2 devices silent since 1970-01-01 00:16:40 UTC"
    assert (alert["devices"], alert["severity"], alert["since"]) == (["d4", "d5"], "warning", 1000.0)
    assert alert["advice"]
    hall.pass_time(50, heard=("d0", "d1", "d2", "d3", "d4"))
    (alert,) = hall.alerts()
    assert (alert["state"], alert["devices"], alert["subject"]) == ("open", ["d5"], "device d5")
    hall.pass_time(50, heard=tuple(f"d{i}" for i in range(6)))
    (alert,) = hall.alerts()
    assert (alert["state"], alert["changed_by"]) == ("resolved", "the server")


def test_half_of_the_fleet_is_critical_and_what_they_share_is_told(hall: Hall) -> None:
    for name in ("d3", "d4", "d5"):
        hall.site.store.write(lambda db, name=name: tags.change(db, name, {"hall": "b"}, "ann", 1.0))
    hall.pass_time(200, heard=("d0", "d1", "d2"))
    (alert,) = hall.alerts()
    assert alert["severity"] == "critical"
    assert "all tagged hall=b" in alert["changed"]
    assert "nano33ble" not in alert["changed"], "that all of the fleet are is no news"


def test_a_rollout_that_came_just_before_is_named(hall: Hall) -> None:
    hall.site.hello("d0", "d1", "d2", "d3", "d4", "d5", runs=1)
    number = hall.site.roll(2)
    hall.site.tick()
    hall.pass_time(200)
    assert f"rollout {number} told 6 of 6 to change" in hall.alerts()[0]["changed"]


def test_while_the_server_is_deaf_nobody_is_blamed(hall: Hall) -> None:
    hall.pass_time(500, listening=False)
    assert hall.alerts() == []
    hall.pass_time(100)
    assert hall.alerts() == [], "they have as long as ever to be heard"
    hall.pass_time(50)
    assert len(hall.alerts()) == 1


def test_a_restart_of_the_server_resolves_nothing(hall: Hall) -> None:
    hall.pass_time(200, heard=("d0",))
    hall.watch = Watch(POLICY)
    hall.pass_time(20, heard=("d0",))
    (alert,) = hall.alerts()
    assert (alert["state"], alert["device_count"]) == ("open", 5)


def test_a_status_that_the_broker_kept_is_not_heard_of_the_device(hall: Hall) -> None:
    hall.pass_time(50)
    hall.site.status("d0", Presence.ONLINE)
    assert queries.device(hall.site.store, "d0")["seen_at"] == 1000.0


def test_what_a_person_resolved_stays_so_until_others_join(hall: Hall) -> None:
    most = tuple(f"d{i}" for i in range(5))
    hall.pass_time(200, heard=most)
    number = hall.alerts()[0]["id"]
    hall.site.store.write(lambda db: alerts.change(db, number, State.RESOLVED, hall.site.now, "ann", "sold"))
    hall.pass_time(400, heard=most)
    assert [alert["state"] for alert in hall.alerts()] == ["resolved"]
    hall.pass_time(200, heard=most[:4])
    assert [(a["state"], a["devices"]) for a in hall.alerts()] == [
        ("open", ["d4"]), ("resolved", ["d5"]),
    ]  # fmt: skip


def test_only_devices_that_should_be_heard_are_missed(hall: Hall) -> None:
    hall.watch = Watch(Policy(100.0, "device == 'd4'"))
    hall.pass_time(200)
    assert hall.alerts()[0]["devices"] == ["d4"]
    hall.watch = Watch(Policy(0.0))
    hall.pass_time(200)
    assert len(hall.alerts()) == 1


def test_a_device_that_leaves_and_returns_over_the_real_broker(
    settings: Settings, make_bundle: Callable
) -> None:
    fleet = Fleet(settings.model_copy(update={"silent_after_s": 0.6})).start()
    try:
        served = Served(fleet, make_bundle)
        device = served.device("mcu-0")
        device.leave()
        until(lambda: queries.open_alerts(fleet.store), "it is missed")
        (alert,) = queries.open_alerts(fleet.store)
        assert (alert["kind"], alert["devices"]) == ("silent", ["mcu-0"])
        served.device("mcu-0")
        until(lambda: not queries.open_alerts(fleet.store), "it is back")
        served.close()
    finally:
        fleet.stop()


def test_a_filter_that_is_none_is_said_at_the_start(settings: Settings) -> None:
    with pytest.raises(InputError, match="column"):
        Fleet(settings.model_copy(update={"silent_where": "board = 'x'"})).start()
