"""The compiler is called once for the same sources, and says plainly what keeps it from working."""

import os
import subprocess
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

import boards
from firmware_sim import toolchain
from firmware_sim.layout import layout_of
from wire.errors import InputError, RefusedError, StoreError

SOURCE = Path(__file__).parent / "rogue.c"


@pytest.fixture
def cache_dir(tmp_path, monkeypatch):
    # The compiler keeps its own library, which takes seconds to build, where it always does.
    own = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zig"
    monkeypatch.setenv("ZIG_GLOBAL_CACHE_DIR", str(own))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def compiler_calls(monkeypatch):
    calls = []
    real = subprocess.run
    monkeypatch.setattr(
        toolchain.subprocess, "run", lambda *args, **named: calls.append(args) or real(*args, **named)
    )
    return calls


def build(optimisation="-Os", source=SOURCE):
    symbols = {**layout_of(boards.load("rpi-pico")).symbols(), "ARENA_BYTES": 64}
    firmware = Path(toolchain.__file__).parent / "firmware"
    sources, options = [source, firmware / "startup.c"], (f"-I{firmware}",)
    return toolchain.build("cortex_m0plus", symbols, b"", sources, optimisation=optimisation, options=options)


def test_the_second_build_does_not_call_the_compiler(cache_dir, compiler_calls):
    first = build()
    assert len(compiler_calls) == 3  # two objects, one link
    assert build() == first
    assert len(compiler_calls) == 3
    assert build("-O2") != first
    assert len(compiler_calls) == 6


def test_another_source_text_is_another_build(cache_dir, tmp_path):
    changed = tmp_path / "rogue.c"
    changed.write_text(SOURCE.read_text() + "\nint more;\n")
    assert build(source=changed) != build()


def test_a_damaged_result_is_built_again(cache_dir):
    first = build()
    whole = first.read_bytes()
    first.write_bytes(whole[: len(whole) // 2])
    assert len(build().read_bytes()) == len(whole)


def test_a_cache_that_cannot_be_written_is_a_plain_error(cache_dir):
    cache_dir.write_text("a file is where the folder should be")
    with pytest.raises(StoreError, match="cannot write") as caught:
        build()
    assert "XDG_CACHE_HOME" in caught.value.hint


def test_a_source_that_does_not_compile_is_refused_in_the_compilers_words(cache_dir, tmp_path):
    broken = tmp_path / "broken.c"
    broken.write_text("int main(void) { return nothing; }\n")
    with pytest.raises(RefusedError, match="undeclared identifier 'nothing'"):
        build(source=broken)


def test_without_the_compiler_the_error_names_the_extra(monkeypatch):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(toolchain, "version", absent)
    toolchain.compiler_version.cache_clear()
    with pytest.raises(InputError, match="ziglang is not installed") as caught:
        toolchain.compiler_version()
    assert caught.value.hint == "pip install 'tinyfleet[sim]'"
    toolchain.compiler_version.cache_clear()
