"""Rollouts in the database, without a broker: who takes part, what is signed, what old rows become."""

import contextlib
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from sqlite_utils import Database

from fleet_server import counters, queries, reports, rollout_driver
from fleet_server import rollout_commands as commands
from fleet_server.director import open_director
from fleet_server.gates.verdict import Verdict
from fleet_server.registry import open_registry
from fleet_server.rollout_policy import Pace, Policy, StagePlan
from fleet_server.schema import MIGRATIONS
from fleet_server.store import Row, Store
from tests.fleet_server.fake_device import BOOT, HARDWARE
from wire.errors import InputError
from wire.messages import Hardware, ModelRef, Reported, Status, Telemetry
from wire.states import SETTLED, NumericsFamily, Presence, Reason, UpdateState
from wire.trust import Policy as DevicePolicy

QUICK = Policy(stages=(1.0,), control=0.0, deadline_s=60, soak_s=0)


def by_name(_db: Database, expression: str) -> Callable[[Row], bool]:
    """A filter language of one word: the beginning of a device's name."""
    if " " in expression:
        raise InputError("bad_filter", "one word", "")
    return lambda row: row["device"].startswith(expression)


class Site:
    """A database, its clock, and what devices say."""

    def __init__(self, store: Store, director, registry, make_bundle) -> None:
        self.store, self.director, self.now = store, director, 1000.0
        self.refs: dict[int, ModelRef] = {}
        for version in (1, 2, 3):
            self.refs[version] = registry.publish(*make_bundle(version), self.now)
        self._seq = 0
        self.runs: dict[str, int] = {}

    def hello(self, *names: str, runs: int | None = None, hardware: Hardware = HARDWARE) -> None:
        for name in names:
            if runs is not None:
                self.runs[name] = runs
            self.status(name, Presence.ONLINE)
            self.report(name, None, None, hardware=hardware)

    def status(self, name: str, presence: Presence) -> None:
        status = Status(device=name, state=presence, session=1, boot=BOOT)
        self.store.write(lambda db: reports.store_status(db, status, self.now))

    def report(
        self,
        name: str,
        attempt: str | None,
        state: UpdateState | None,
        reason: Reason = Reason.NONE,
        hardware: Hardware = HARDWARE,
    ) -> None:
        self._seq += 1
        running = self.refs[self.runs[name]] if name in self.runs else None
        report = Reported(
            device=name, boot=BOOT, seq=self._seq, sequence=0, attempt=attempt, state=state, reason=reason,
            running=running, slots={}, downloaded_bytes=0, hardware=hardware,
        )  # fmt: skip
        self.store.write(lambda db: reports.store_reported(db, report, self.now))

    def roll(self, version: int, policy: Policy = QUICK, **how: object) -> int:
        digest = self.refs[version].digest
        return self.store.write(
            lambda db: rollout_driver.create_rollout(
                db, digest, policy, self.now, "ann", filters=by_name, **how
            )
        ).id

    def tick(self, seconds: float = 1.0, judge=rollout_driver.no_gates) -> None:
        self.now += seconds
        self.store.write(lambda db: db.execute("UPDATE assignments SET published = 1"))
        self.store.write(
            lambda db: rollout_driver.tick(db, self.director, self.now, judge=judge, filters=by_name)
        )

    def command(self, number: int, how: Callable) -> None:
        self.store.write(lambda db: rollout_driver.change(db, number, how, self.now, "ann"))

    def wish(self, name: str) -> Row | None:
        return self.store.row(
            "SELECT * FROM assignments WHERE device = ? ORDER BY sequence DESC LIMIT 1", (name,)
        )

    def confirm(self, *names: str, stubborn: bool = False) -> None:
        """Each does what it was last told, if it was told something new; ``stubborn``: it did already."""
        for name in names or [row["device"] for row in self.store.rows("SELECT device FROM devices")]:
            wish = self.wish(name)
            if wish is None or wish["state"] not in ("queued", "downloading", "timed_out"):
                continue
            if msgspec.json.decode(wish["policy"])["cancel"] and not stubborn:
                self.report(name, wish["attempt"], UpdateState.CANCELED, Reason.WITHDRAWN)
                continue
            self.runs[name] = next(v for v, ref in self.refs.items() if ref.digest == wish["digest"])
            self.report(name, wish["attempt"], UpdateState.CONFIRMED)
            self._seq += 1
            window = Telemetry(
                device=name, boot=BOOT, seq=self._seq, attempt=wish["attempt"],
                model=self.refs[self.runs[name]], numerics=NumericsFamily.TFLM, at_unix_s=None,
                duration_s=1.0, n=1, latency_clock="host", latency={1: 1}, latency_sum_us=1, classes=[1],
                confidence=[0] * 9 + [1],
            )  # fmt: skip
            payload = msgspec.json.encode(window)
            self.store.write(
                lambda db, window=window, payload=payload: reports.store_telemetry(
                    db, window, payload, self.now
                )
            )

    def finish(self, number: int, ticks: int = 20) -> None:
        for _ in range(ticks):
            self.tick()
            self.confirm()
            if self.shown(number)["state"] == "finished":
                return
        raise AssertionError(self.shown(number))

    def finish_all(self, ticks: int) -> None:
        for _ in range(ticks):
            self.confirm()
            self.tick(10)

    def shown(self, number: int) -> Row:
        return queries.rollout(self.store, number)

    def states(self, number: int) -> dict[str, str | None]:
        return {m["device"]: m["state"] for m in self.shown(number)["devices"]}


@pytest.fixture
def site(tmp_path: Path, keys: Path, make_bundle: Callable) -> Iterator[Site]:
    store = Store(tmp_path / "fleet.db")
    director = open_director(keys, timedelta(days=7))
    yield Site(store, director, open_registry(store, tmp_path, keys), make_bundle)
    store.close()


def test_the_control_arm_keeps_its_version_until_the_release_and_then_gets_the_new_one(site: Site) -> None:
    names = [f"d{i}" for i in range(10)]
    site.hello(*names, runs=1)
    one = site.roll(2, msgspec.structs.replace(QUICK, control=0.3))
    control = {m["device"] for m in site.shown(one)["devices"] if m["arm"] == "control"}
    assert len(control) == 3
    assert site.shown(one)["stages"][0]["control"] == 3
    site.tick()
    assert {name for name in names if site.wish(name) is None} == control
    site.finish(one)
    shown = site.shown(one)
    assert shown["counts"] == {"succeeded": 10}
    assert [(s["kind"], s["state"]) for s in shown["stages"]] == [("share", "passed"), ("release", "passed")]
    assert {m["device"] for m in shown["devices"] if m["arm"] == "control"} == control, "still on record"


def test_newcomers_take_part_also_after_the_end_but_only_in_the_newest_rollout(site: Site) -> None:
    site.hello("d0")
    one = site.roll(1)
    site.tick()
    site.hello("d1")
    site.finish(one)
    assert site.states(one) == {"d0": "succeeded", "d1": "succeeded"}
    site.hello("d2")
    site.finish(one, 3)
    site.tick()
    site.confirm()
    site.tick()
    assert site.states(one)["d2"] == "succeeded"
    two = site.roll(2)
    site.hello("d3")
    site.finish(two)
    assert "d3" not in site.states(one)
    assert site.states(two)["d3"] == "succeeded"
    site.command(two, commands.roll_back)
    for _ in range(4):
        site.tick()
        site.confirm()
    assert site.shown(two)["state"] == "stopped"
    site.hello("d4")
    site.tick()
    wish = site.wish("d4")
    assert wish is not None
    assert (wish["rollout"], wish["digest"]) == (one, site.refs[1].digest), "what was undone is not given on"


def test_a_filter_says_whom_a_rollout_and_a_stage_are_for(site: Site) -> None:
    site.hello("lab1", "lab2", "site1", "other1")
    one = site.roll(
        1, Policy(stages=(StagePlan(where="lab1"), StagePlan(share=1.0)), where="lab", control=0.0, soak_s=0)
    )
    members = {m["device"]: m["stage"] for m in site.shown(one)["devices"]}
    assert members == {"lab1": 0, "lab2": 1}
    site.hello("lab3", "site2")
    site.tick(10)
    assert set(site.states(one)) == {"lab1", "lab2", "lab3"}
    with pytest.raises(InputError, match="one word"):
        site.roll(1, msgspec.structs.replace(QUICK, where="two words"))


def test_a_dry_run_says_what_would_happen_and_changes_nothing(site: Site) -> None:
    names = [f"d{i}" for i in range(8)]
    site.hello(*names, runs=1)
    site.hello("old", hardware=msgspec.structs.replace(HARDWARE, target="cortex-m0plus"))
    site.hello("thin", "flat", hardware=msgspec.structs.replace(HARDWARE, ram_bytes=10))
    policy = Policy(stages=(0.5, 1.0), control=0.25)
    digest = site.refs[2].digest
    said = site.store.write(lambda db: rollout_driver.dry_run(db, digest, policy))
    assert said["fits"] == 8
    assert said["stages"] == [{"devices": 4, "control": 1}, {"devices": 4, "control": 1}]
    assert said["by_reason"] == {"wrong_target": 1, "out_of_ram": 2}
    assert [r["device"] for r in said["rejected"]] == ["flat", "old", "thin"]
    assert queries.rollouts(site.store) == []
    one = site.roll(2, policy)
    stages = site.shown(one)["stages"]
    assert [{"devices": s["devices"], "control": s["control"]} for s in stages] == said["stages"]


def test_a_version_with_other_labels_needs_leave(site: Site, make_bundle, tmp_path, keys) -> None:
    site.hello("d0", runs=1)
    other = msgspec.json.decode(make_bundle(2)[0].manifest)
    other["labels"] = ["yes", "no"]
    site.store.write(
        lambda db: db.execute(
            "UPDATE versions SET manifest = ? WHERE version = 2", (msgspec.json.encode(other).decode(),)
        )
    )
    one = site.roll(2)
    (member,) = site.shown(one)["devices"]
    assert (member["state"], member["reason"]) == ("rejected", "schema")
    two = site.roll(2, msgspec.structs.replace(QUICK, schema_change=True))
    site.tick()
    assert site.states(two) == {"d0": "queued"}


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


def test_gates_are_asked_only_while_a_rollout_goes_on(site: Site) -> None:
    site.hello("d0", runs=1)
    asked: list[str] = []

    def judge(_db: Database, rollout, _now: float) -> list[Verdict]:
        asked.append(str(rollout.state))
        return []

    one = site.roll(2)
    for _ in range(6):
        site.tick(judge=judge)
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


def test_a_database_of_the_former_release_goes_on(tmp_path: Path) -> None:
    """Rows as they were written before control arms, with a rollout in the middle of its first stage."""
    path = tmp_path / "fleet.db"
    old = Database(sqlite3.connect(path, isolation_level=None))
    MIGRATIONS.apply(old, stop_before="m008_rollout_arms")
    digest = "a" * 64
    body = {
        "id": 1,
        "bundle": {"model": "watch", "version": 1, "digest": digest},
        "policy": {"stages": [0.5, 1.0], "max_failed": 0.1, "deadline_s": 60.0, "soak_s": 1.0,
                   "device": {"trial_inferences": 5, "report_every_ms": 60000}},
        "state": "running",
        "stages": [{"share": 0.5, "devices": 1, "state": "running", "started_at": 5.0},
                   {"share": 1.0, "devices": 1}],
        "current": 0,
        "reason": "",
    }  # fmt: skip
    old.execute("INSERT INTO rollouts VALUES (1, ?, 5.0, 1, ?)", (digest, msgspec.json.encode(body).decode()))
    old.execute("INSERT INTO rollout_devices VALUES (1, 'd0', 0, NULL, NULL), (1, 'd1', 1, NULL, NULL)")
    old.execute("INSERT INTO rollout_devices VALUES (1, 'd2', NULL, NULL, 'out_of_ram: too much')")
    old.execute(
        """INSERT INTO devices (device, first_seen_at, seen_at, board, target, numerics, runtime, ram_bytes,
                                flash_bytes) VALUES ('d0', 1, 1, 'b', 'cortex-m4', 'tflm', 'r', 1, 1)"""
    )
    old.execute(
        """INSERT INTO assignments (device, sequence, attempt, rollout, digest, policy, state, issued_at,
                                    updated_at, payload, expires_at)
           VALUES ('d0', 1, 'x-1', 1, ?, '{}', 'queued', 5.0, 5.0, '', 9e9)""",
        (digest,),
    )
    old.close()
    store = Store(path)
    try:
        loaded = store.write(lambda db: rollout_driver.load(db, 1))
        assert (loaded.policy.control, loaded.policy.dynamic, loaded.started_at) == (0, False, 5.0)
        assert loaded.policy.gates.accuracy is None
        assert loaded.policy.retry.times == 0
        members = {
            m["device"]: (m["state"], m["reason"], m["arm"]) for m in queries.rollout(store, 1)["devices"]
        }
        assert members == {
            "d0": ("queued", "none", "new"),
            "d1": (None, None, "new"),
            "d2": ("rejected", "out_of_ram", "new"),
        }
        (row,) = store.rows("SELECT hardware FROM devices")
        assert msgspec.json.decode(row["hardware"], type=Hardware).format == "tflite"
        (wish,) = store.rows("SELECT reached_at, signed_at FROM assignments")
        assert wish == {"reached_at": 5.0, "signed_at": 5.0}
    finally:
        store.close()


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
