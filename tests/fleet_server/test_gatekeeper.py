"""From stored telemetry to a verdict on record: through the database, without a broker."""

import json
import random
import zlib

import msgspec
import pytest

from fleet_server import gate_feed, gatekeeper, reports
from fleet_server.gate_feed import load_cells
from fleet_server.gates.policy import Gates, Limit
from fleet_server.rollout_policy import Policy
from tests.fleet_server.site import Site
from wire.messages import Shadow, Telemetry
from wire.states import NumericsFamily
from wire.trust import Policy as DevicePolicy

#: Two dozen devices: enough to compare.
NAMES = [f"d{index:02}" for index in range(24)]
WINDOW_S = 5.0
POLICY = Policy(
    stages=(0.5, 1.0),
    control=0.4,
    soak_s=30,
    dynamic=False,
    device=DevicePolicy(report_every_ms=round(1000 * WINDOW_S)),
)


class Field:
    """Devices of a site that report windows, answer by answer drawn from a seed."""

    def __init__(self, site: Site, seed: int = 1) -> None:
        self.site, self.rng, self.seq = site, random.Random(seed), 1000
        for name in NAMES:
            site.hello(name, runs=1)
        self.boots = dict.fromkeys(NAMES, "00000001-0000aaaa")

    def window(self, name: str, version: int, accuracy: float, **changes: object) -> Telemetry:
        self.seq += 1
        correct = sum(self.rng.random() < accuracy for _ in range(40))
        window = Telemetry(
            device=name, boot=self.boots[name], seq=self.seq, attempt=None,
            model=self.site.refs[version], numerics=NumericsFamily.TFLM, at_unix_s=None, duration_s=WINDOW_S,
            n=40, latency_clock="device", latency={70: 40}, latency_sum_us=44_000, labelled=40,
            correct=correct, classes=[correct, 40 - correct], confidence=[0] * 8 + [40, 0],
        )  # fmt: skip
        return msgspec.structs.replace(window, **changes)

    def store(self, *windows: Telemetry) -> None:
        for window in windows:
            payload = msgspec.json.encode(window)
            self.site.store.write(
                lambda db, w=window, p=payload: reports.store_telemetry(db, w, p, self.site.now)
            )

    def running(self) -> dict[str, int]:
        rows = self.site.store.rows(
            """SELECT d.device, v.version FROM devices d JOIN versions v ON v.digest = d.digest"""
        )
        return {row["device"]: row["version"] for row in rows}

    def live(self, accuracy: dict[int, float], windows: int, number: int) -> str:
        """Everyone reports, the rollout is ticked; returns its state."""
        for _ in range(windows):
            for name, version in self.running().items():
                self.store(self.window(name, version, accuracy[version]))
            self.site.tick(WINDOW_S)
            self.site.confirm()
            if self.site.shown(number)["state"] not in ("running",):
                break
        return str(self.site.shown(number)["state"])


@pytest.fixture
def field(site: Site) -> Field:
    return Field(site)


def _decisions(site: Site, number: int) -> list[dict]:
    return site.store.rows("SELECT * FROM gate_decisions WHERE rollout = ? ORDER BY id", (number,))


def _crashes(site: Site, number: int) -> str:
    look = site.store.read(lambda db: gatekeeper.latest(db, number))
    assert look is not None
    (crashes,) = [each for each in look.judgements if each.gate == "crashes"]
    return crashes.reason


def test_a_version_that_is_worse_is_undone_in_its_first_stage_with_the_figures(field: Field) -> None:
    site = field.site
    for name in NAMES:
        field.store(*(field.window(name, 1, 0.9) for _ in range(4)))
    number = site.roll(2, POLICY)
    assert field.live({1: 0.9, 2: 0.5}, 30, number) in ("rolling_back", "stopped")
    shown = site.shown(number)
    assert shown["current"] == 0
    assert shown["reason"].startswith("accuracy: ")
    assert "points worse on 7 new than on 10 control devices" in shown["reason"]


def test_the_same_fall_in_both_arms_is_nobodys_fault(field: Field) -> None:
    site = field.site
    for name in NAMES:
        field.store(*(field.window(name, 1, 0.9) for _ in range(4)))
    number = site.roll(2, POLICY)
    field.live({1: 0.9, 2: 0.9}, 3, number)
    assert field.live({1: 0.5, 2: 0.5}, 60, number) == "finished"


def test_a_decision_is_kept_with_its_evidence_and_replays_to_the_same_answer(field: Field) -> None:
    site = field.site
    number = site.roll(2, POLICY)
    field.live({1: 0.9, 2: 0.4}, 30, number)
    found = _decisions(site, number)
    last = found[-1]
    assert "fail" in {judgement["outcome"] for judgement in json.loads(last["judgements"])}
    for row in found:
        again = gatekeeper.replay(POLICY.gates, zlib.decompress(row["evidence"]))
        assert msgspec.json.encode(again).decode() == row["judgements"]


def test_a_gate_that_fails_is_one_decision_of_the_stage_that_it_ends(field: Field) -> None:
    site = field.site
    number = site.roll(2, POLICY)
    field.live({1: 0.9, 2: 0.4}, 30, number)
    failed = [row for row in _decisions(site, number) if '"fail"' in row["judgements"]]
    assert [row["stage"] for row in failed] == [0]


def test_the_last_windows_are_looked_at_even_when_nothing_follows_them(field: Field) -> None:
    """They come right after a look, and looks keep a distance: the next one must not wait for more."""
    site = field.site
    number = site.roll(2, msgspec.structs.replace(POLICY, soak_s=600))
    field.live({1: 0.9, 2: 0.9}, 3, number)
    before = site.store.write(lambda db: gatekeeper.latest(db, number))
    site.now = before.at
    for name, version in field.running().items():
        field.store(*(field.window(name, version, {1: 0.9, 2: 0.1}[version]) for _ in range(20)))
    site.tick(0.1)
    assert site.shown(number)["state"] == "running", "too soon for another look"
    site.tick(WINDOW_S)
    assert site.shown(number)["reason"].startswith("accuracy: ")


def test_what_is_on_record_is_what_the_stage_was_decided_by(field: Field) -> None:
    """A stage that passes between two looks passed by the former one: later windows are not in its record."""
    site = field.site
    number = site.roll(2, POLICY)
    field.live({1: 0.9, 2: 0.9}, 3, number)
    soaked_at = site.shown(number)["stages"][0]["soaking_at"] + POLICY.soak_s
    site.now = soaked_at - 0.55
    for name, version in field.running().items():
        field.store(field.window(name, version, 0.9))
    site.tick(0.5)
    look = site.store.write(lambda db: gatekeeper.latest(db, number))
    assert look.at == site.now
    for name, version in field.running().items():
        field.store(*(field.window(name, version, {1: 0.9, 2: 0.0}[version]) for _ in range(20)))
    site.tick(0.1)
    assert site.shown(number)["stages"][0]["state"] == "passed"
    decided = [row for row in _decisions(site, number) if row["stage"] == 0][-1]
    assert decided["at"] == look.at
    assert '"fail"' not in decided["judgements"]
    site.tick(WINDOW_S)
    assert site.shown(number)["reason"].startswith("accuracy: "), "the next look sees them"


def test_passing_a_stage_is_a_decision_on_record_too(field: Field) -> None:
    site = field.site
    number = site.roll(2, POLICY)
    assert field.live({1: 0.9, 2: 0.9}, 80, number) == "finished"
    assert {row["stage"] for row in _decisions(site, number)} >= {0, 1}


@pytest.mark.parametrize("batch", [1, 3, 7, 5000])
def test_every_window_is_counted_once_however_the_feed_is_cut(
    field: Field, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    site = field.site
    monkeypatch.setattr(gate_feed, "MAX_WINDOWS", batch)
    number = site.roll(2, POLICY)
    site.tick()
    site.tick()
    site.confirm()
    sent = 0
    for _ in range(3):
        for name, version in field.running().items():
            window = field.window(name, version, 0.9)
            field.store(window, window)  # delivered twice
            sent += 1
        site.tick()
    for _ in range(3 * sent // batch + 3):
        site.tick()
    cells = site.store.write(lambda db: load_cells(db, number))
    members = site.store.rows(
        "SELECT device, arm, stage FROM rollout_devices WHERE rollout = ? AND stage IS NOT NULL", (number,)
    )
    counting = {row["device"] for row in members if row["arm"] == "control" or row["stage"] == 0}
    confirmed = sum(version == 2 for version in field.running().values())  # one inference each with that
    assert sum(cell.sums["errors"].weight for cell in cells.values()) == 40 * 3 * len(counting) + confirmed


def test_windows_that_were_kept_back_are_placed_by_the_devices_clock_or_left_out(field: Field) -> None:
    site = field.site
    number = site.roll(2, POLICY)
    control = site.store.rows(
        "SELECT device FROM rollout_devices WHERE rollout = ? AND arm = 'control'", (number,)
    )
    name = control[0]["device"]
    started = site.now
    site.now += 100
    late = {"historical": True}
    field.store(
        field.window(name, 1, 0.9, at_unix_s=started + 1, **late),
        field.window(name, 1, 0.9, at_unix_s=None, **late),
        field.window(name, 1, 0.9, at_unix_s=started + 10_000, **late),
    )
    site.tick()
    cells = site.store.write(lambda db: load_cells(db, number))
    assert [(where.device, where.bin, cell.sums["errors"].weight) for where, cell in cells.items()] == [
        (name, 0, 40)
    ]


def test_a_device_that_restarts_after_the_confirm_is_a_break(field: Field) -> None:
    site = field.site
    number = site.roll(2, POLICY)
    field.live({1: 0.9, 2: 0.9}, 4, number)
    new = [name for name, version in field.running().items() if version == 2]
    field.boots[new[0]] = "00000002-0000bbbb"
    field.live({1: 0.9, 2: 0.9}, 2, number)
    assert _crashes(site, number) == "1 new and 0 control devices restarted or fell silent"


def test_a_device_that_falls_silent_after_the_confirm_is_a_break(field: Field) -> None:
    """By the others' clocks, so to say: silence lasts while somebody else is heard."""
    site = field.site
    number = site.roll(2, msgspec.structs.replace(POLICY, deadline_s=60, soak_s=600))
    field.live({1: 0.9, 2: 0.9}, 4, number)
    quiet = next(name for name, version in field.running().items() if version == 2)
    for windows in (11, 2):
        for _ in range(windows):
            site.now += WINDOW_S
            talking = [(name, version) for name, version in field.running().items() if name != quiet]
            field.store(*(field.window(name, version, 0.9) for name, version in talking))
        site.tick()
        broken = 0 if windows == 11 else 1
        assert _crashes(site, number) == f"{broken} new and 0 control devices restarted or fell silent"


def test_shadows_that_disagree_stop_a_version_before_it_answers(field: Field) -> None:
    site = field.site
    device = msgspec.structs.replace(POLICY.device, shadow_inferences=50)
    gates = Gates(disagreement=Limit(rate=0.1))
    number = site.roll(2, msgspec.structs.replace(POLICY, device=device, gates=gates))
    site.tick()
    for name in NAMES:
        shadow = Shadow(model=site.refs[2], n=50, disagreed=40, errors=0, latency_sum_us=100)
        field.store(field.window(name, 1, 0.9, shadow=shadow))
    site.tick(WINDOW_S)
    assert site.shown(number)["reason"].startswith("disagreement: old and new version disagree on 80.0%")
