"""What changes is found and named; what comes and goes, or was always so, is not."""

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from fleet_server.drift.detector import Detector, Side, Step, Watched, measure, step
from fleet_server.drift.policy import DriftPolicy
from fleet_server.drift.yardstick import Look

POLICY = DriftPolicy(look_s=10.0, min_inferences=10, baseline=10, season_s=None)
DEVICES, P = 20, 4
Values = Callable[[int, int, np.random.Generator], np.ndarray]


def calm(device: int, _look: int, rng: np.random.Generator) -> np.ndarray:
    """Every device has a level of its own."""
    return device + rng.normal(size=P)


def watch(
    values: Values, looks: int, policy: DriftPolicy = POLICY, side: Side = "both", seed: int = 1
) -> list[Step]:
    rng, detector, steps = np.random.default_rng(seed), Detector(side=side), []
    for place in range(looks):
        seen = {
            f"d{device:02}": Look(
                place * policy.look_s, (place + 1) * policy.look_s, tuple(values(device, place, rng).tolist())
            )
            for device in range(DEVICES)
        }
        steps.append(step(detector, policy, measure(detector, policy), seen))
        detector = steps[-1].detector
    return steps


def first_alarm(steps: list[Step]) -> int | None:
    return next((place for place, each in enumerate(steps) if each.drifting), None)


def test_a_fleet_that_stays_as_it_is_does_not_drift() -> None:
    alarms = [first_alarm(watch(calm, 60, seed=seed)) for seed in range(12)]
    assert alarms == [None] * 12, "0.6 false alarms are promised at most in 12 fleets of 50 looks"


def test_devices_that_change_together_are_named_with_the_time_of_it() -> None:
    moved = {3, 4, 5, 6, 7, 8, 9, 10}

    def drift(device: int, look: int, rng: np.random.Generator) -> np.ndarray:
        return calm(device, look, rng) + 5.0 * (device in moved and look >= 30)

    steps = watch(drift, 40)
    alarm = first_alarm(steps)
    assert alarm is not None
    assert 30 < alarm <= 35
    recent = steps[39].detector.recent
    assert moved <= {int(name[1:]) for name in recent}
    onsets = [recent[f"d{device:02}"].since for device in moved]
    assert np.median(onsets) == 300.0, onsets
    assert max(onsets) <= 320.0, onsets
    assert np.allclose(recent["d03"].deviation, 5.0, atol=3.0)


def test_now_and_then_a_new_wearer_is_no_drift() -> None:
    """One device in a hundred has another level in every look: as many as the policy allows."""
    levels = np.random.default_rng(5).normal(scale=10.0, size=(DEVICES, 60, P))
    changes = np.random.default_rng(6).random((DEVICES, 60)) < 0.01
    tenure = changes.cumsum(axis=1)

    def worn(device: int, look: int, rng: np.random.Generator) -> np.ndarray:
        return levels[device, tenure[device, look]] + rng.normal(size=P)

    steps = watch(worn, 60)
    assert first_alarm(steps) is None
    seen = {change.device for each in steps for change in each.changed}
    late = {f"d{device:02}" for device in range(DEVICES) if changes[device, 22:50].any()}
    assert late <= seen, "each is seen to have changed all the same"


def test_a_device_that_changed_is_learned_anew_and_said_once() -> None:
    def moved_for_good(device: int, look: int, rng: np.random.Generator) -> np.ndarray:
        return calm(device, look, rng) + 8.0 * (device == 2 and look >= 20)

    steps = watch(moved_for_good, 60)
    assert [change.device for each in steps for change in each.changed] == ["d02"]
    learned = steps[-1].detector.devices["d02"]
    assert not learned.learning
    assert np.mean([look.values for look in learned.baseline]) == pytest.approx(10.0, abs=1.0)


def test_what_comes_and_goes_for_all_is_season() -> None:
    daily = msgspec.structs.replace(POLICY, season_s=40.0, baseline=12)

    def wave(device: int, look: int, rng: np.random.Generator) -> np.ndarray:
        return calm(device, look, rng) + 6.0 * (look % 4 >= 2)

    assert first_alarm(watch(wave, 60, daily)) is None

    def off_season(device: int, look: int, rng: np.random.Generator) -> np.ndarray:
        high = look % 4 >= 2 if look < 40 or device >= 8 else True
        return calm(device, look, rng) + 6.0 * high

    assert first_alarm(watch(off_season, 60, daily)) is not None
    blind = msgspec.structs.replace(daily, season_s=None)
    assert first_alarm(watch(off_season, 60, blind)) is None, "within what the whole day brings"


def test_where_only_a_fall_matters_a_rise_is_nothing() -> None:
    def moves(by: float) -> Values:
        return lambda device, look, rng: calm(device, look, rng)[:1] + by * (look >= 30)

    assert first_alarm(watch(moves(6.0), 45, side="below")) is None
    assert first_alarm(watch(moves(-6.0), 45, side="below")) is not None


def test_nothing_is_judged_before_there_is_something_to_judge_by() -> None:
    few = msgspec.structs.replace(POLICY, baseline=5)
    detector = Detector()
    for place in range(30):
        look = Look(place * 10.0, place * 10.0 + 10.0, (float(place),))
        after = step(detector, few, measure(detector, few), {"only": look})
        detector = after.detector
        assert not after.changed
        assert not after.drifting
    assert len(detector.devices["only"].baseline) == 5


def test_a_step_changes_nothing_in_place_and_its_state_survives_being_stored() -> None:
    steps = watch(calm, 15)
    before = steps[12].detector
    stored = msgspec.json.encode(before)
    seen = {"d00": Look(130.0, 140.0, (50.0,) * P)}
    again = [step(before, POLICY, measure(before, POLICY), seen) for _ in range(2)]
    assert msgspec.json.encode(before) == stored
    assert again[0] == again[1]
    loaded = msgspec.json.decode(stored, type=Detector)
    assert step(loaded, POLICY, measure(loaded, POLICY), seen) == again[0]
    assert again[0].detector.devices["d00"] != Watched()


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_stuck_sensor_is_a_change_although_nothing_varies_any_more(value: float) -> None:
    def stuck(device: int, look: int, rng: np.random.Generator) -> np.ndarray:
        spread = np.log(1e-6) if device < 8 and look >= 30 else rng.normal(scale=0.1)
        return np.array([value, spread])

    assert first_alarm(watch(stuck, 45)) is not None
