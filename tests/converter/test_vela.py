"""The call of the user's vela, with an executable that records its arguments and gives a real summary."""

import sys
from pathlib import Path

import pytest

from converter.vela import compile_for
from wire.errors import InputError, NotFoundError, RefusedError

# Two columns of many are left out; figures as ethos-u-vela 5.2.0 gave them for MLPerf Tiny's keyword model.
HEAD = (
    "experiment,network,accelerator_configuration,system_config,memory_mode,core_clock,inference_time,"
    "sram_memory_used,dram_memory_used,on_chip_flash_memory_used,off_chip_flash_memory_used,nn_macs,cycles_total"
)
ROW = (
    "default,model,Ethos_U55_128,Ethos_U55_High_End_Embedded,Shared_Sram,500000000.0,0.0001798,"
    "21.671875,0.0,0.0,30.375,2664792,89900"
)
SAID = "CPU operators = 0 (0.0%)\nNPU operators = 39 (100.0%)"


@pytest.fixture
def fake_vela(tmp_path: Path):
    """``fake_vela(body)`` -> path of an executable; ``body`` is Python, ``args`` are its arguments."""

    def make(body: str) -> str:
        file = tmp_path / "vela"
        file.write_text(f"#!{sys.executable}\nimport sys, time, pathlib\nargs = sys.argv[1:]\n{body}\n")
        file.chmod(0o755)
        return str(file)

    return make


def write(*rows: str, model: bool = True) -> str:
    lines = "\n".join(rows) + "\n"
    code = f"pathlib.Path('model_summary_Ethos_U55_High_End_Embedded.csv').write_text({lines!r})\n"
    if model:
        code += "pathlib.Path('model_vela.tflite').write_bytes(pathlib.Path(args[-1]).read_bytes()[::-1])\n"
    return code + f"print({SAID!r})"


def test_the_summary_in_bytes_and_milliseconds(fake_vela, tmp_path: Path):
    record = tmp_path / "args"
    body = f"pathlib.Path({str(record)!r}).write_text(' '.join(args))\n" + write(HEAD, ROW)
    made = compile_for(b"model", "ethos-u55-128", executable=fake_vela(body))
    assert record.read_text() == "--accelerator-config ethos-u55-128 --output-dir . model.tflite"
    assert made.model == b"ledom"
    cost = made.cost
    assert (cost.cycles, cost.macs, cost.sram_bytes, cost.flash_bytes) == (89_900, 2_664_792, 22_192, 31_104)
    assert cost.latency_ms == pytest.approx(0.1798)
    assert cost.latency_ms == pytest.approx(1000 * cost.cycles / cost.clock_hz)
    assert cost.file_bytes == len(made.model)
    assert (cost.npu_operators, cost.cpu_operators, cost.dram_bytes) == (39, 0, 0)


def test_no_vela_is_said_with_what_to_install():
    with pytest.raises(NotFoundError, match="no-such-vela") as raised:
        compile_for(b"model", "ethos-u65-256", executable="no-such-vela")
    assert "tinyfleet[npu]" in raised.value.hint


@pytest.mark.parametrize("name", ["ethos-n78", "ethos-u55", "ethos-u55-128 --help", "--help", ""])
def test_only_names_of_accelerators_are_passed_on(fake_vela, name: str):
    with pytest.raises(InputError, match="no Ethos-U"):
        compile_for(b"model", name, executable=fake_vela("sys.exit(9)"))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("print('Error: Invalid tflite', file=sys.stderr); sys.exit(1)", "failed: Error: Invalid tflite"),
        ("sys.exit(3)", "exit code 3"),
        ("pass", "no summary"),
        (write(HEAD), "summary of 0 rows"),
        (write(HEAD.replace("cycles_total", "other"), ROW), "without 'cycles_total'"),
        (write(HEAD, ROW.replace("89900", "many")), "without"),
        (write(HEAD, ROW, model=False), "no model_vela.tflite"),
    ],
)
def test_failures_are_refusals_in_its_words(fake_vela, body: str, words: str):
    with pytest.raises(RefusedError, match=words):
        compile_for(b"model", "ethos-u55-128", executable=fake_vela(body))


def test_a_vela_that_hangs_is_stopped(fake_vela):
    with pytest.raises(RefusedError, match="took longer"):
        compile_for(b"m", "ethos-u55-128", executable=fake_vela("time.sleep(30)"), timeout_s=0.3)
