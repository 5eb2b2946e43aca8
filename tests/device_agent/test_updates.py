"""What a device refuses by itself, and how a trial in the shadow ends, with real models and slots."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from device_agent import update_state as u
from device_agent.disk import Disk
from tests.device_agent.small_bundle import ARENA_BYTES, Bundle, Keys, changed, make_bundle
from tests.device_agent.test_power_cut import HARDWARE, SHADOWED, Bench
from tests.device_agent.tiny_model import INPUT_SHAPE
from wire.messages import Hardware
from wire.states import UpdateState


@pytest.fixture
def bench(keys: Keys) -> Bench:
    return Bench(keys, make_bundle(keys, 1), make_bundle(keys, 2, seed=12))


@pytest.fixture
def on_v1(bench: Bench, tmp_path: Path) -> Path:
    assert update(bench, tmp_path, bench.bundles[0]).state is UpdateState.CONFIRMED
    return tmp_path


def update(bench: Bench, folder: Path, bundle: Bundle) -> u.Attempt:
    attempt = asyncio.run(bench.update(Disk(durable=False), folder, bundle)).attempt
    assert attempt is not None
    return attempt


def onto(bench: Bench, hardware: Hardware) -> None:
    bench.hardware = hardware
    bench.setting = bench.setting._replace(hardware=hardware)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ops": ("CONV_2D",)}, "unsupported_op"),
        ({"preprocessing": ()}, "preprocessing"),
        ({"runtime": "ai-edge-litert 0.9"}, "old_runtime"),
    ],
)
def test_what_a_device_cannot_run_it_rejects_before_the_download_and_answers_on(
    bench: Bench, on_v1: Path, change: dict[str, object], reason: str
) -> None:
    v1, v2 = bench.bundles
    v2 = changed(bench.keys, v2, runtimes={"ai-edge-litert": "1.0"})
    bench.bundles = (v1, v2)
    onto(bench, replace(HARDWARE, **change))
    attempt = update(bench, on_v1, v2)
    assert (attempt.state, attempt.reason, attempt.downloaded_bytes) == ("rejected", reason, 0)
    assert bench.answering.confirmed
    assert bench.answering.confirmed.ref == v1.ref


def test_another_schema_is_rejected_unless_the_director_says_so(bench: Bench, on_v1: Path) -> None:
    v1, v2 = bench.bundles
    other = changed(bench.keys, v2, labels=["a", "b", "c", "d", "e"])
    bench.bundles = (v1, other)
    attempt = update(bench, on_v1, other)
    assert (attempt.state, attempt.reason) == ("rejected", "schema")
    assert attempt.detail == "tiny v2 calls a class 'a', tiny v1 'word0'"
    bench.policy = replace(bench.policy, new_schema=True)
    again = changed(bench.keys, other, version=3)
    bench.bundles = (v1, again)
    assert update(bench, on_v1, again).state is UpdateState.CONFIRMED


def test_two_models_that_disagree_too_often_end_in_a_rollback_with_the_count(
    bench: Bench, on_v1: Path
) -> None:
    bench.readings = np.random.default_rng(0).normal(size=INPUT_SHAPE).astype(np.float32) * 20
    bench.policy = replace(SHADOWED, shadow_max_disagree_per_mille=0)
    attempt = update(bench, on_v1, bench.bundles[1])
    assert (attempt.state, attempt.reason) == ("rolled_back", "shadow")
    assert attempt.detail == "disagreed on 3 of 3 inputs"
    bench.check_confirmed(on_v1)


def test_a_shadow_that_agrees_is_followed_by_the_trial(bench: Bench, on_v1: Path) -> None:
    bench.policy = SHADOWED
    attempt = update(bench, on_v1, bench.bundles[1])
    assert (attempt.state, attempt.detail) == ("confirmed", "")
    bench.answering.close_window()
    shadows = [(w.model.ref.version, w.shadow and w.shadow.n) for w in bench.windows]
    assert (1, 3) in shadows
    assert (2, None) in shadows


def test_two_models_that_do_not_fit_ram_together_skip_the_shadow_and_say_so(
    bench: Bench, on_v1: Path
) -> None:
    bench.policy = SHADOWED
    onto(bench, replace(HARDWARE, ram_bytes=2 * ARENA_BYTES - 1))
    attempt = update(bench, on_v1, bench.bundles[1])
    assert attempt.state is UpdateState.CONFIRMED
    assert attempt.detail == "no shadow: both models need 8192 bytes of RAM, linux-pc gives 8191"


def test_the_first_model_of_a_device_has_no_shadow_and_says_so(bench: Bench, tmp_path: Path) -> None:
    bench.policy = SHADOWED
    attempt = update(bench, tmp_path, bench.bundles[0])
    assert (attempt.state, attempt.detail) == ("confirmed", "no shadow: there is no confirmed model")
