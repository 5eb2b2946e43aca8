"""inspect says what is so of any file: every key, figures by execution, and never a traceback."""

import contextlib
import json
import sys
from pathlib import Path
from random import Random

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

import boards
from converter import inspection
from converter.arena import STEP_BYTES, runs_in_fork
from converter.flatbuffer import parse
from converter.inspection import inspect
from converter.planning.buffers import buffers_of
from converter.planning.offline import with_plan
from converter.planning.search import search
from tests.models.catalogue import EVERY, SCRATCH
from tests.models.defects import DEFECTS, spoilt, with_ends
from tests.models.odd_models import ODD, hello
from tests.models.random_models import network
from tests.models.sandbox import windows_of
from tinyfleet import cli
from wire.errors import InputError, RefusedError
from wire.manifest import digest_of

KEYS = {
    "digest", "bytes", "ops", "numerics_int8", "runnable_tflm", "findings", "arena", "planned_arena", "macs",
    "fits",
}  # fmt: skip
FIT_KEYS = {"ok", "reason", "flash_bytes", "ram_bytes", "latency_ms"}


@pytest.mark.parametrize("seed", range(2))
def test_every_key_is_there_and_the_figures_agree(seed: int):
    model = network(Random(seed), 10, EVERY - SCRATCH)
    found = msgspec.to_builtins(inspect(model))
    assert found.keys() >= KEYS
    assert (found["digest"], found["bytes"], found["ops"]) == (digest_of(model), len(model), parse(model).ops)
    assert found["numerics_int8"]
    assert found["runnable_tflm"]
    arena, planned = found["arena"], found["planned_arena"]
    plan = search(buffers_of(parse(model)))
    assert arena["total"] == arena["head"] + arena["tail"] <= arena["confirmed_min"]
    assert arena["head"] == plan.greedy_head
    assert planned["total"] <= arena["total"]
    assert planned["head"] in (plan.head, plan.greedy_head)
    assert found["macs"] >= 0
    assert set(found["fits"]) == set(boards.names())
    for fit in found["fits"].values():
        assert fit.keys() >= FIT_KEYS
        assert fit["reason"]
        assert fit["flash_bytes"] >= len(model)
        assert fit["ok"] == (
            fit["ram_bytes"] <= fit["ram_free_bytes"] and fit["flash_bytes"] <= fit["flash_free_bytes"]
        )
        if fit["numerics"] == "tflm" and fit["npu"] is None:
            assert fit["ram_bytes"] == arena["confirmed_min"]


@pytest.mark.parametrize("name", ODD)
def test_odd_models_get_sensible_findings(name: str):
    make, codes, runs = ODD[name]
    found = inspect(make())
    assert {finding.code for finding in found.findings} == codes
    assert found.runnable_tflm == runs
    assert (found.arena is not None) == runs
    refused = any(finding.severity == "error" for finding in found.findings)
    assert (found.planned_arena is None) == (refused or name == "control flow")
    assert found.numerics_int8 == (name not in ("float", "uint8", "int16"))
    for fit in found.fits.values():
        assert fit.reason
        assert not (refused and fit.ok)


def test_a_tiny_model_needs_more_than_tflm_reports():
    model = hello()
    arena = inspect(model).arena
    assert arena is not None
    assert arena.confirmed_min > arena.total
    window = windows_of(model, 1)[0][0]
    from runtimes.tflm import TflmInterpreter

    expected = TflmInterpreter(model, 65_536).run(window)
    assert runs_in_fork(model, window, expected, arena.confirmed_min)
    assert not runs_in_fork(model, window, expected, arena.confirmed_min - STEP_BYTES)


def test_figures_of_a_file_to_be_repaired_are_those_of_the_right_one():
    model = network(Random(5), 6)
    right = inspect(model)
    for name in ("axis out of range", "overlapping plan"):
        bad = spoilt(model, DEFECTS[name], Random(5))
        assert bad is not None
        found = inspect(bad)
        assert {DEFECTS[name].code, "repaired"} <= {finding.code for finding in found.findings}
        assert found.arena == right.arena
        assert any(fit.ok for fit in found.fits.values())


def test_float_ends_are_repaired_into_a_model_that_fits():
    found = inspect(with_ends(network(Random(5), 6), "FLOAT32"))
    assert {"unquantised_io", "repaired"} <= {finding.code for finding in found.findings}
    assert found.runnable_tflm
    assert any(fit.ok for fit in found.fits.values())


@pytest.mark.parametrize(
    ("file", "head", "tail", "code"),
    [
        ("kws/kws_ref_model", 16_000, 8_272, 0),
        ("ic/pretrainedResnet_quant", 49_152, 6_832, 0),
        ("regress/resnet_large_aeq_external_buffers", 122_880, None, 6),
    ],
)
def test_third_party_models_have_their_published_arena_on_the_command_line(
    shared_models: Path, monkeypatch, capsys, file: str, head: int, tail: int | None, code: int
):
    path = shared_models / f"{file}.tflite"
    monkeypatch.setattr(sys, "argv", ["tinyfleet", "inspect", str(path), "--json"])
    with pytest.raises(SystemExit) as done:
        cli.main()
    found = json.loads(capsys.readouterr().out)
    assert int(done.value.code or 0) == code
    arena = found["arena"]
    assert arena["head"] == head
    assert tail in (None, arena["tail"])
    assert arena["total"] == head + arena["tail"]
    assert found["planned_arena"] == {"head": head, "total": arena["total"]}


def test_what_is_no_model_is_one_line_and_exit_code_2(tmp_path: Path, monkeypatch, capsys):
    damaged = bytearray(hello())
    damaged[0:4] = (2**31 - 1).to_bytes(4, "little")
    for content in (b"", b"PK\x03\x04" + bytes(100), bytes(damaged), hello()[:-100]):
        (tmp_path / "odd.tflite").write_bytes(content)
        monkeypatch.setattr(sys, "argv", ["tinyfleet", "inspect", str(tmp_path / "odd.tflite"), "--json"])
        with pytest.raises(SystemExit) as done:
            cli.main()
        out, err = capsys.readouterr()
        assert (done.value.code, out) == (2, "")
        assert err.startswith("tinyfleet: ")
        assert err.count("\n") == 1


BASES = [network(Random(seed), 6) for seed in range(4)]
BASES.append(with_ends(network(Random(9), 4), "FLOAT32"))
BASES.append(with_plan(BASES[0], search(buffers_of(parse(BASES[0]))).offsets))
WORDS = [-1, 0, 1, 2**31 - 1, -(2**31), 65_536, 8]


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    """A good file with a few bytes, or words where lengths and offsets are, replaced."""
    model = bytearray(draw(st.sampled_from(BASES)))
    for _ in range(draw(st.integers(1, 8))):
        place = draw(st.integers(0, len(model) - 1))
        if draw(st.booleans()):
            model[place] = draw(st.integers(0, 255))
        else:
            word = draw(st.sampled_from([*WORDS, len(model)])).to_bytes(4, "little", signed=True)
            model[place // 4 * 4 : place // 4 * 4 + 4] = word
    return bytes(model)


@pytest.fixture(scope="module")
def without_runtimes():
    """Whatever runs in a child process refuses, all else is done."""

    def refuse(*_args: object) -> None:
        raise RefusedError("not_run", "not run here", "run it")

    def plan(model: bytes) -> None:
        with_plan(model, search(buffers_of(parse(model))).offsets)
        refuse()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inspection, "probe", refuse)
        patch.setattr(inspection, "repair", refuse)
        patch.setattr(inspection, "plan_model", plan)
        yield


@given(model=mutants())
def test_a_mutated_file_is_inspected_or_an_input_error(without_runtimes: None, model: bytes):
    with contextlib.suppress(InputError):
        assert isinstance(inspect(model).findings, list)


@pytest.mark.parametrize("seed", range(3))
def test_flipped_bits_are_run_for_real(seed: int):
    dice, model = Random(seed), bytearray(BASES[seed])
    for _ in range(3):
        model[dice.randrange(len(model))] ^= 1 << dice.randrange(8)
    with contextlib.suppress(InputError):
        found = inspect(bytes(model))
        assert found.runnable_tflm == (found.arena is not None)
        assert found.runnable_tflm or found.findings
