"""Rollouts in the database: commands, several at once, late truth, wishes signed again."""

import contextlib
import random
import time

import msgspec
import pytest
from sqlite_utils import Database

from fleet_server import counters, gatekeeper, queries
from fleet_server import rollout_commands as commands
from fleet_server.gates.verdict import Verdict
from fleet_server.rollout_policy import Pace, Policy
from fleet_server.store import Row
from tests.fleet_server.fake_device import HARDWARE
from tests.fleet_server.site import QUICK, Site
from wire.errors import InputError
from wire.states import SETTLED, Presence, Reason, UpdateState
from wire.trust import Policy as DevicePolicy


def test_an_urgent_rollout_goes_first_and_is_not_undone_by_the_slower_one(site: Site) -> None:
    site.hello("d0", "d1", runs=1)
    slow = site.roll(2, msgspec.structs.replace(QUICK, pace=Pace(per_minute=1)))
    site.tick()
    assert [bool(site.wish(n)) for n in ("d0", "d1")].count(True) == 1
    urgent = site.roll(3, msgspec.structs.replace(QUICK, priority=5))
    site.finish(urgent)
    for _ in range(5):
        site.tick(100)
        site.confirm()
    assert site.states(urgent) == {"d0": "succeeded", "d1": "succeeded"}
    assert site.shown(slow)["state"] == "finished"
    assert set(site.runs.values()) == {3}


@pytest.mark.parametrize("seed", range(4))
def test_several_rollouts_over_restless_devices_all_end_and_leave_nobody_between(
    site: Site, seed: int
) -> None:
    chance = random.Random(seed)
    names = [f"d{i}" for i in range(12)]
    site.hello(*names, runs=1)
    errors = counters.ROLLOUT_ERRORS._value.get()
    numbers: list[int] = []
    for _ in range(60):
        if len(numbers) < 4 and chance.random() < 0.15:
            policy = Policy(
                stages=chance.choice([(1.0,), (0.3, 1.0)]),
                control=chance.choice([0.0, 0.3]),
                max_failed=chance.choice([0.0, 0.3, 1.0]),
                deadline_s=60,
                soak_s=5,
                priority=chance.choice([0, 0, 5]),
                pace=chance.choice([None, Pace(per_minute=30)]),
            )
            numbers.append(site.roll(chance.choice([1, 2, 3]), policy))
        for name in chance.sample(names, 4):
            _something_happens(site, name, chance)
        if numbers and chance.random() < 0.1:
            with contextlib.suppress(InputError):
                how = chance.choice([commands.pause, commands.resume, commands.skip, commands.roll_back])
                site.command(chance.choice(numbers), how)
        site.tick(chance.choice([1, 5, 20]))
    for name in names:
        site.status(name, Presence.ONLINE)
    for _ in range(200):
        for number in numbers:
            with contextlib.suppress(InputError):
                site.command(number, commands.resume)
        site.confirm()
        site.tick(10)
        if not site.store.row("SELECT 1 FROM rollouts WHERE active = 1 AND body NOT LIKE '%finished%'"):
            break
    site.finish_all(4)
    assert counters.ROLLOUT_ERRORS._value.get() == errors
    assert {site.shown(n)["state"] for n in numbers} <= {"finished", "stopped"}
    for name in names:
        wish = site.wish(name)
        if wish is not None and wish["state"] in ("confirmed", "succeeded", "already_installed"):
            assert site.refs[site.runs[name]].digest == wish["digest"], name
        assert wish is None or wish["state"] in SETTLED, (name, wish["state"])


def _something_happens(site: Site, name: str, chance: random.Random) -> None:
    wish = site.wish(name)
    what = chance.choice(["confirm", "confirm", "fail", "link", "work", "leave", "come", "fall_back"])
    if what == "leave":
        site.status(name, Presence.OFFLINE)
    elif what == "come":
        site.status(name, Presence.ONLINE)
    elif what == "fall_back" and chance.random() < 0.1:
        site.runs[name] = 1
        site.report(name, None, None)
    elif what == "confirm":
        site.confirm(name)
    elif wish is not None and wish["state"] == "queued":
        state, reason = {
            "fail": (UpdateState.ROLLED_BACK, Reason.SELF_TEST),
            "link": (UpdateState.FAILED, Reason.LINK_LOST),
        }.get(what, (UpdateState.DOWNLOADING, Reason.NONE))
        site.report(name, wish["attempt"], state, reason)


def test_a_late_success_replaces_timed_out(site: Site) -> None:
    site.hello("d0", "d1", runs=1)
    one = site.roll(2, msgspec.structs.replace(QUICK, max_failed=0.5))
    site.tick()
    site.confirm("d0")
    site.tick(100)
    assert site.states(one) == {"d0": "confirmed", "d1": "timed_out"}
    site.confirm("d1")
    assert site.states(one)["d1"] == "confirmed"
    site.finish(one)
    assert site.states(one) == {"d0": "succeeded", "d1": "succeeded"}


def test_who_confirms_after_the_rollback_is_given_the_former_version_as_well(site: Site) -> None:
    site.hello("d0", runs=1)
    one = site.roll(2)
    site.tick()
    site.command(one, commands.roll_back)
    site.tick()
    assert msgspec.json.decode(site.wish("d0")["policy"])["cancel"], "it had not begun, as far as is known"
    site.tick(100)
    assert site.shown(one)["state"] == "stopped"
    site.confirm(stubborn=True)  # but it had, and this was on its way
    site.tick()
    wish = site.wish("d0")
    assert (wish["restores"], wish["digest"]) == (one, site.refs[1].digest)


def test_going_back_is_tried_again_when_the_link_was_lost(site: Site) -> None:
    site.hello("d0", runs=1)
    one = site.roll(2)
    site.tick()
    site.confirm()
    site.command(one, commands.roll_back)
    site.tick()
    first = site.wish("d0")
    site.report("d0", first["attempt"], UpdateState.FAILED, Reason.LINK_LOST)
    site.tick()
    assert site.wish("d0")["attempt"] == first["attempt"], "not at once"
    site.tick(100)
    second = site.wish("d0")
    assert second["attempt"] != first["attempt"]
    site.confirm()
    site.tick()
    assert site.runs["d0"] == 1
    (member,) = site.shown(one)["devices"]
    assert (site.shown(one)["state"], member["restored"]) == ("stopped", "confirmed")


def test_commands_are_on_record_with_who_gave_them_and_once(site: Site) -> None:
    site.hello("d0")
    one = site.roll(1, begin=False)
    site.tick()
    assert site.wish("d0") is None, "it waits for its start"
    for how in (lambda r: commands.start(r, site.now), commands.pause, commands.resume, commands.skip):
        site.command(one, how)
        site.command(one, how)
    said = [e["message"] for e in queries.events_of(site.store, f"rollout {one}")]
    assert [m for m in reversed(said) if "ann" in m] == [
        "watch v1 to 1 devices in 1 stages, 0 do not fit, by ann",
        "ready -> running, by ann",
        "running -> paused, by ann",
        "paused -> running, by ann",
        "stage 1 skipped, by ann",
    ]


def test_gates_are_asked_only_while_a_rollout_goes_on(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.hello("d0", runs=1)
    asked: list[str] = []

    def judge(_db: Database, rollout, _facts, _now: float) -> list[Verdict]:
        asked.append(str(rollout.state))
        return []

    monkeypatch.setattr(gatekeeper, "verdicts", judge)

    one = site.roll(2)
    for _ in range(6):
        site.tick()
        site.confirm()
    assert site.shown(one)["state"] == "finished"
    assert set(asked) == {"running"}


def test_a_wish_signed_again_keeps_its_attempt_and_its_window(site: Site) -> None:
    site.hello("d0")
    window = {"starts_in_s": 0, "length_s": 300, "every_s": 3600}
    site.roll(1, msgspec.convert({"stages": [1.0], "windows": [window]}, Policy))
    site.tick()
    first = site.wish("d0")
    assert _times(first) == (0, 299)
    site.tick(400)
    second = site.wish("d0")
    assert _times(second) == (3199, 300)
    assert (second["attempt"], second["held"]) == (first["attempt"], 1)
    long_ago = site.now - 1
    site.store.write(lambda db: db.execute("UPDATE assignments SET expires_at = ?", (long_ago,)))
    site.now += 1000
    assert site.store.write(lambda db: site.director.renew(db, site.now)) == 1
    assert _times(site.wish("d0")) == (2199, 300)


def _times(wish: Row) -> tuple[int, int]:
    policy = msgspec.json.decode(wish["policy"], type=DevicePolicy)
    return policy.begin_in_s, policy.begin_for_s


def test_a_tick_over_ten_thousand_devices_does_not_hold_the_writer_up(site: Site) -> None:
    """A loose bound on a slow machine; measured here: about 0.1 s."""
    site.store.write(_ten_thousand)
    one = site.roll(1, Policy(stages=(0.01, 1.0), control=0.0))
    site.tick()
    assert site.store.row("SELECT count(*) AS n FROM assignments")["n"] == 100
    began = time.perf_counter()
    site.tick()
    assert time.perf_counter() - began < 3
    site.command(one, commands.skip)
    site.tick()
    site.tick()
    told = site.store.row("SELECT count(*) AS n FROM assignments")["n"]
    assert 100 < told <= 600, "no more than 500 are signed at once"


def _ten_thousand(db: Database) -> None:
    hardware = msgspec.json.encode(HARDWARE).decode()
    db.conn.executemany(
        """INSERT INTO devices (device, first_seen_at, seen_at, presence, board, hardware)
           VALUES (?, 1, 1, 'online', 'b', ?)""",
        [(f"d{i:05}", hardware) for i in range(10_000)],
    )


def test_two_rollouts_are_undone_one_after_the_other(site: Site) -> None:
    site.hello("d0", runs=1)
    for version in (2, 3):
        site.finish(site.roll(version))
    two, three = (row["id"] for row in reversed(queries.rollouts(site.store)))
    for number, version in ((three, 2), (two, 1)):
        site.command(number, commands.roll_back)
        site.finish_all(3)
        assert site.shown(number)["state"] == "stopped"
        site.confirm()
        assert site.runs["d0"] == version


def test_what_a_broken_rollout_has_begun_is_undone_and_the_others_go_on(site: Site, monkeypatch) -> None:
    site.hello("d0", "d1", runs=1)
    broken = site.roll(2, msgspec.structs.replace(QUICK, priority=1))
    real = type(site.director).issue

    def issue(self, db, device, digest, *args, **how):
        attempt = real(self, db, device, digest, *args, **how)
        if how["rollout"] == broken:
            raise OSError("no more")
        return attempt

    monkeypatch.setattr(type(site.director), "issue", issue)
    other = site.roll(3)
    site.tick()
    assert {site.wish(name)["rollout"] for name in ("d0", "d1")} == {other}
    assert set(site.states(broken).values()) == {None}
    assert any("cannot be moved on: no more" in a["message"] for a in queries.open_alerts(site.store))


def test_of_equal_rollouts_the_older_keeps_its_devices_until_it_is_done(site: Site) -> None:
    site.hello("d0", runs=1)
    older, younger = site.roll(2), site.roll(3)
    for _ in range(3):
        site.tick()
        assert site.wish("d0")["rollout"] == older
    site.finish(younger)
    assert site.runs["d0"] == 3


def test_the_deadline_of_a_device_that_was_away_begins_when_it_is_seen(site: Site) -> None:
    site.hello("d0", "d1", runs=1)
    site.status("d1", Presence.OFFLINE)
    site.now += 1
    one = site.roll(2, msgspec.structs.replace(QUICK, max_failed=1.0))
    site.tick()
    site.confirm("d0")
    for _ in range(4):
        site.tick(100)
    assert site.states(one) == {"d0": "succeeded", "d1": "queued"}
    site.status("d1", Presence.ONLINE)
    site.tick(50)
    assert site.states(one)["d1"] == "queued"
    site.tick(61)
    assert site.states(one)["d1"] == "timed_out"


def test_a_success_that_is_said_again_stays_one(site: Site) -> None:
    site.hello("d0")
    one = site.roll(1, msgspec.structs.replace(QUICK, dynamic=False))
    site.finish(one)
    assert site.states(one) == {"d0": "succeeded"}
    site.report("d0", site.wish("d0")["attempt"], UpdateState.CONFIRMED)
    assert site.states(one) == {"d0": "succeeded"}
