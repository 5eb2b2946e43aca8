"""``tinyfleet sim exec`` as a person calls it: tflite-micro's bytes, counts, sizes, or one line why not."""

import json
import sys

import numpy as np
import pytest

from firmware_sim.tally import CLASSES
from tests.converter import crafted
from tests.converter.crafted import FC, HIDDEN, OUTPUT, RESHAPE, WEIGHTS
from tinyfleet import cli

BOARDS = ("rpi-pico", "nano33ble", "nucleo-l4r5zi", "nucleo-u575zi", "nucleo-h7a3zi")
X = np.random.default_rng(2).integers(-128, 128, (3, 8)).astype(np.int8)


@pytest.fixture
def sim_exec(monkeypatch, capsys, tmp_path):
    """``sim_exec(model, inputs, *options)`` -> (exit code, stdout, stderr)."""

    def run(model, inputs, *options):
        (tmp_path / "m.tflite").write_bytes(model)
        np.save(tmp_path / "x.npy", inputs)
        files = ["--inputs", str(tmp_path / "x.npy"), "--outputs", str(tmp_path / "y.npy")]
        monkeypatch.setattr(
            sys, "argv", ["tinyfleet", "sim", "exec", str(tmp_path / "m.tflite"), *files, *options]
        )
        capsys.readouterr()
        with pytest.raises(SystemExit) as done:
            cli.main()
        return int(done.value.code or 0), *capsys.readouterr()

    return run


@pytest.mark.parametrize("board", BOARDS)
def test_every_board_gives_the_bytes_of_tflite_micro(sim_exec, tmp_path, board):
    code, out, _ = sim_exec(crafted.model(), X, "--board", board, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["board"] == board
    assert found["bit_exact_with_tflm"] is True
    assert len(found["instructions"]) == len(found["cycles_estimated"]) == len(X)
    assert np.load(tmp_path / "y.npy").shape == (3, 2, 3)
    assert found["ram_bytes"] == found["variable_bytes"] + found["stack_bytes"] + found["arena_bytes"]
    assert found["flash_bytes"] == found["runtime_flash_bytes"] + found["model_flash_bytes"]
    assert sum(op["instructions"] for op in found["ops"]) == found["instructions"][0]
    assert set(found["ops"][0]["classes"]) == set(CLASSES)
    assert found["compiler"].startswith("ziglang ")
    assert found["cycle_table"]["source"]


def test_latency_is_cycles_over_the_boards_clock(sim_exec):
    _, out, _ = sim_exec(crafted.model(), X, "--board", "nano33ble", "--json")
    found = json.loads(out)
    assert found["latency_ms"] == round(sum(found["cycles_estimated"]) / len(X) / 64e3, 3)


def test_floats_are_real_units_and_are_quantised(sim_exec, tmp_path):
    from converter.image.graph import read

    given = read(crafted.model()).input
    sim_exec(crafted.model(), X, "--board", "rpi-pico")
    as_int8 = np.load(tmp_path / "y.npy")
    real = (X.astype(np.float32) - given.zero) * np.float32(given.scale)
    code, _, _ = sim_exec(crafted.model(), real, "--board", "rpi-pico")
    assert code == 0
    assert np.array_equal(np.load(tmp_path / "y.npy"), as_int8)


def test_people_get_a_profile_by_operator(sim_exec):
    _, out, _ = sim_exec(crafted.model(), X, "--board", "nucleo-l4r5zi")
    assert "FULLY_CONNECTED" in out
    assert "#" in out
    assert "the same bytes as tflite-micro" in out
    assert "not modelled" in out


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--board", "no-board"], 3, "there is no board"),
        (["--board", "rpi-4"], 3, "no emulated core"),
        (["--board", "rpi-pico", "--inputs", "none.npy"], 3, "there is no file none.npy"),
        (["--board", "rpi-pico", "--inputs", __file__], 2, "cannot read"),
        (["--board", "rpi-pico", "--outputs", "/nowhere/y.npy"], 2, "cannot write"),
    ],
)
def test_a_bad_file_or_board_is_one_line(sim_exec, options, code, words):
    got, out, err = sim_exec(crafted.model(), X, *options)
    assert got == code
    assert out == ""
    assert words in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (X[:, :4], "the model takes (n, 8)"),
        (X[:0], "the model takes (n, 8)"),
        (X.astype(np.int32), "int32"),
        (np.full((1, 8), np.nan, np.float32), "float32"),
    ],
)
def test_inputs_that_do_not_fit_the_model_are_one_line(sim_exec, inputs, words):
    code, _, err = sim_exec(crafted.model(), inputs, "--board", "rpi-pico")
    assert code == 2
    assert words in err


def test_a_file_that_is_no_model_is_one_line(sim_exec):
    assert sim_exec(b"not a model", X, "--board", "rpi-pico")[0] == 2


def test_an_operator_without_a_kernel_is_refused_by_name(sim_exec):
    def to_fill(tree):
        tree.operatorCodes[tree.subgraphs[0].operators[FC].opcodeIndex].builtinCode = 94
        tree.operatorCodes[tree.subgraphs[0].operators[FC].opcodeIndex].deprecatedBuiltinCode = 94

    code, _, err = sim_exec(crafted.model(to_fill), X, "--board", "rpi-pico")
    assert code == 4
    assert "FILL" in err


def test_a_model_that_is_too_large_fails_at_link_with_region_and_bytes(sim_exec):
    outputs = 40_000

    def widen(tree):
        graph = tree.subgraphs[0]
        graph.tensors[WEIGHTS].shape = [outputs, 8]
        tree.buffers[graph.tensors[WEIGHTS].buffer].data = np.ones(outputs * 8, np.uint8)
        graph.tensors[HIDDEN].shape = [1, outputs]
        graph.operators[FC].inputs = graph.operators[FC].inputs[:2]
        graph.operators.pop(RESHAPE)
        graph.outputs = [HIDDEN]
        graph.tensors[OUTPUT].shape = [1]

    code, out, err = sim_exec(crafted.model(widen), X, "--board", "rpi-pico")
    assert code == 4
    assert out == ""
    assert "too large for SLOT_A" in err
