"""The root command line: quick to answer, and every failure is one line and the right exit code."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from tinyfleet import cli
from tinyfleet.output import emit
from wire import errors
from wire.errors import ExitCode

HELP_LIMIT_S = 0.5
LOADED_BY_NO_HELP = {"tensorflow", "fastapi", "numpy", "paho", "tuf", "cryptography", "nicegui", "pydantic"}
FAMILIES = {
    errors.WireError: 4,
    errors.TrustError: 4,
    errors.RefusedError: 4,
    errors.InputError: 2,
    errors.AccessError: 1,
    errors.NotFoundError: 3,
    errors.LinkError: 5,
    errors.StoreError: 1,
}


def tinyfleet(*words):
    command = [sys.executable, "-m", "tinyfleet", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def main(monkeypatch, command, *words):
    """Run ``main`` in this process with ``command`` in place of the noun ``device``."""
    monkeypatch.setitem(sys.modules, "tinyfleet.commands.device", SimpleNamespace(command=command))
    monkeypatch.setattr(sys, "argv", ["tinyfleet", "device", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


def test_help_answers_within_half_a_second():
    took_s = []
    for _ in range(3):
        begin = time.perf_counter()
        done = tinyfleet("--help")
        took_s.append(time.perf_counter() - begin)
        assert done.returncode == 0
    assert min(took_s) < HELP_LIMIT_S
    assert all(noun in done.stdout for noun in cli.NOUNS)


def test_help_loads_no_heavy_library():
    code = (
        "import sys; sys.argv = ['tinyfleet', '--help']\n"
        "from tinyfleet.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(*sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert not LOADED_BY_NO_HELP & set(done.stderr.split())


@pytest.mark.parametrize("noun", cli.NOUNS)
def test_every_noun_has_help(noun):
    done = tinyfleet(noun, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


@pytest.mark.parametrize("words", [["bogus"], ["device", "bogus"], ["--bogus"], ["train"]])
def test_wrong_usage_exits_2_and_keeps_stdout_clean(words):
    done = tinyfleet(*words)
    assert done.returncode == ExitCode.USAGE
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_every_family_is_listed_here():
    assert set(FAMILIES) == set(errors.FleetError.__subclasses__())


@pytest.mark.parametrize("family", FAMILIES)
def test_an_error_is_one_line_and_its_familys_exit_code(monkeypatch, capsys, family):
    def command():
        raise family("code", "what is wrong", "what to do")

    assert main(monkeypatch, command) == FAMILIES[family]
    out, err = capsys.readouterr()
    assert (out, err) == ("", "tinyfleet: what is wrong (what to do)\n")


@pytest.mark.parametrize(("noun_extra", "expected"), [({"device": "train"}, "train"), ({}, "server")])
def test_a_missing_library_names_the_extra(monkeypatch, capsys, noun_extra, expected):
    def command():
        raise ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow")

    monkeypatch.setattr(cli, "EXTRAS", noun_extra)
    assert main(monkeypatch, command) == ExitCode.FAILED
    out, err = capsys.readouterr()
    line = f"tinyfleet: tensorflow is not installed (pip install 'tinyfleet[{expected}]')\n"
    assert (out, err) == ("", line)


def test_a_bug_is_one_line_too(monkeypatch, capsys):
    monkeypatch.delenv("TINYFLEET_DEBUG", raising=False)
    assert main(monkeypatch, lambda: 1 / 0) == ExitCode.FAILED
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "TINYFLEET_DEBUG=1" in err


def test_a_server_that_is_not_there_is_unreachable(monkeypatch):
    monkeypatch.setenv("TINYFLEET_TOKEN", "none")
    done = tinyfleet("device", "list", "--server", "http://127.0.0.1:1", "--json")
    assert done.returncode == ExitCode.UNREACHABLE, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


def test_a_result_is_in_the_pipe_before_the_command_goes_on(monkeypatch):
    pipe = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(pipe))
    emit({}, False, lambda: "the table")
    assert pipe.getvalue() == b"the table\n"
