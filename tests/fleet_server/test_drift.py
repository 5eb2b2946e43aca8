"""From stored telemetry to an alert that names devices, time, change and what to do; through the database."""

import random

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet_server import alerts, drift_alerts, drift_feed, drift_keeper, drift_tick, queries, reports
from fleet_server.drift.cell import Cell
from fleet_server.drift.policy import DriftPolicy, read
from tests.fleet_server.site import Site
from wire.errors import InputError
from wire.messages import Telemetry
from wire.sketch import TensorSketch, sketch_channels
from wire.states import NumericsFamily

NAMES = [f"d{index:02}" for index in range(20)]
WINDOW_S = 5.0
POLICY = DriftPolicy(look_s=10.0, min_inferences=20, baseline=8, season_s=None)


class Field:
    """Devices that report windows of two channels; each has its own level, and some are turned one day."""

    def __init__(self, site: Site) -> None:
        self.site, self.rng, self.seq = site, np.random.default_rng(1), 0
        site.hello(*NAMES, runs=1)
        self.turned: set[str] = set()
        self.version = 1
        self.accuracy = 0.9
        self.tensor = TensorSketch(histogram=(500,) * 16, low=3, high=4)

    def window(self, name: str, **changes: object) -> Telemetry:
        self.seq += 1
        level = NAMES.index(name) / 10 + self.rng.normal(scale=0.1)
        mean = (level, -level + 2.0 * (name in self.turned))
        correct = int(self.rng.binomial(40, self.accuracy - 0.5 * (name in self.turned)))
        window = Telemetry(
            device=name, boot="00000001-0000aaaa", seq=self.seq, attempt=None,
            model=self.site.refs[self.version], numerics=NumericsFamily.TFLM, at_unix_s=None,
            duration_s=WINDOW_S, n=40, latency_clock="device", latency={70: 40}, latency_sum_us=44_000,
            labelled=40, correct=correct, classes=[correct, 40 - correct], confidence=[0] * 8 + [40, 0],
            inputs=sketch_channels(mean, (1.0, 2.0 + abs(self.rng.normal(scale=0.05))), 4000),
            tensor=self.tensor,
        )  # fmt: skip
        return msgspec.structs.replace(window, **changes)

    def live(self, looks: int) -> None:
        for _ in range(2 * looks):
            self.site.now += WINDOW_S
            for name in NAMES:
                self.send(self.window(name))
            drift_tick.tick(self.site.store, POLICY, self.site.now)

    def send(self, window: Telemetry) -> None:
        payload, now = msgspec.json.encode(window), self.site.now
        self.site.store.write(lambda db: reports.store_telemetry(db, window, payload, now))

    def resolve(self, alert: dict) -> None:
        def write(db) -> None:
            alerts.change(db, alert["id"], alerts.State.RESOLVED, self.site.now, "ann", "mended")
            drift_alerts.resolved(db, alert["key"])

        self.site.store.write(write)

    def alerts(self, state: str | None = None) -> list[dict]:
        return queries.alerts(self.site.store, state)


@pytest.fixture
def field(site: Site) -> Field:
    drift_tick.tick(site.store, POLICY, site.now)
    return Field(site)


def test_drift_is_one_alert_that_names_devices_time_change_and_what_to_do(field: Field) -> None:
    field.live(20)
    assert field.alerts() == []
    field.turned = set(NAMES[:8])
    since = field.site.now
    field.live(8)
    found = {alert["key"]: alert for alert in field.alerts()}
    assert found.keys() == {"watch/inputs", "watch/answers", "watch/accuracy"}
    inputs = found["watch/inputs"]
    assert set(inputs["devices"]) == field.turned
    assert inputs["device_count"] == 8
    assert inputs["since"] == pytest.approx(since, abs=2 * POLICY.look_s)
    assert inputs["changed"].startswith("mean of channel 1 from ")
    assert "tinyfleet retrain --from-alert" in inputs["advice"]
    assert inputs["seen"] >= 2, "seen again is the same alert"
    assert found["watch/accuracy"]["severity"] == "critical"
    assert found["watch/accuracy"]["changed"].startswith("accuracy from 9")


def test_a_resolved_alert_comes_again_only_with_a_new_change(field: Field) -> None:
    field.live(20)
    field.turned = set(NAMES[:8])
    field.live(12)
    for alert in field.alerts():
        field.resolve(alert)
    field.live(10)
    assert field.alerts("open") == [], "what they are now is learned as usual"
    field.turned = set()
    field.live(8)
    assert {alert["key"] for alert in field.alerts("open")} >= {"watch/inputs"}


def test_another_version_answers_otherwise_without_drift(field: Field) -> None:
    field.live(20)
    field.version, field.accuracy = 2, 0.6
    # Another version has another scale: the same readings become other int8 values.
    field.tensor = TensorSketch(histogram=(8000, *(0,) * 15), low=900, high=0)
    field.live(20)
    assert field.alerts() == []


def test_one_device_with_another_unit_is_told_as_an_outlier_until_it_is_mended(field: Field) -> None:
    usual = field.window

    def wrong(name: str, **changes: object) -> Telemetry:
        window = usual(name, **changes)
        if name != "d07" or field.site.now > 1400:
            return window
        inputs = window.inputs
        return msgspec.structs.replace(window, inputs=sketch_channels((300.0, 5.0), inputs.std, inputs.n))

    field.window = wrong
    field.live(10)
    (alert,) = field.alerts()
    assert (alert["kind"], alert["devices"]) == ("outlier", ["d07"])
    assert alert["changed"].startswith("d07: mean of channel 0, others ")
    while field.site.now < 1400:
        field.live(1)
    field.live(20)
    assert [a["state"] for a in field.alerts() if a["kind"] == "outlier"] == ["resolved"]


def test_windows_that_were_kept_back_are_not_looked_at(field: Field) -> None:
    field.send(field.window("d00", historical=True))
    drift_tick.tick(field.site.store, POLICY, field.site.now)
    assert field.site.store.rows("SELECT * FROM drift_cells") == []


def test_a_detector_tells_how_it_stands(field: Field) -> None:
    field.live(5)
    told = field.site.store.read(lambda db: drift_keeper.status(db, POLICY))
    assert [(row["model"], row["kind"]) for row in told] == [
        ("watch", "accuracy"), ("watch", "answers"), ("watch", "inputs"),
    ]  # fmt: skip
    assert {(row["watched"], row["learning"]) for row in told} == {(0, 20)}
    field.live(10)
    told = field.site.store.read(lambda db: drift_keeper.status(db, POLICY))
    assert {(row["watched"], row["learning"]) for row in told} == {(20, 0)}


class Undo(Exception):  # noqa: N818 - not an error
    """Takes back what a killed server's transaction has written."""


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.integers(1, 7), st.booleans()), max_size=12), st.randoms())
def test_each_window_counts_once_in_any_pieces_and_with_any_kills(
    field: Field, pieces: list[tuple[int, bool]], rnd: random.Random
) -> None:
    for _ in range(30):
        field.site.now += rnd.random() * 4
        field.send(field.window(rnd.choice(NAMES[:3])))
    marks = "SELECT fed_id FROM drift_cursor"
    before = field.site.store.row(marks)
    assert before is not None

    def fed(batches: list[tuple[int, bool]]) -> object:
        out: list[object] = []

        def run(db) -> None:
            for size, killed in batches:
                try:
                    with db.atomic():
                        with pytest.MonkeyPatch.context() as patch:
                            patch.setattr(drift_feed, "MAX_WINDOWS", size)
                            drift_feed.feed(db, POLICY)
                        if killed:
                            raise Undo
                except Undo:
                    pass
            while drift_feed.feed(db, POLICY):
                pass
            for table in ("drift_cells", "drift_looks"):
                rows = [dict(row) for row in db.query(f"SELECT * FROM {table}")]  # noqa: S608
                out.append([(row["device"], msgspec.json.decode(row["body"], type=Cell)) for row in rows])
            raise Undo

        with pytest.raises(Undo):
            field.site.store.write(run)
        return out

    assert fed(pieces) == fed([])
    assert field.site.store.row(marks) == before


def test_a_policy_file_is_checked_and_its_mistake_named(tmp_path) -> None:
    file = tmp_path / "drift.toml"
    file.write_text("look_s = 60\nbaseline = 12\n")
    assert read(file) == DriftPolicy(look_s=60.0, baseline=12)
    file.write_text("season_s = false\n")
    assert read(file).season_s is None
    file.write_text("look_s = 60\nbasline = 12\n")
    with pytest.raises(InputError, match="basline"):
        read(file)
    file.write_text("alpha = 2.0\n")
    with pytest.raises(InputError, match=r"\$\.alpha"):
        read(file)
    with pytest.raises(InputError, match="cannot read"):
        read(tmp_path / "none.toml")
