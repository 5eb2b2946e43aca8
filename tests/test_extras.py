"""Every extra in a virtual environment of its own: what imports there, and what must not be there.

Each environment is made from the pinned constraints out of pip's cache. The source is built into a wheel
once, from a copy, so that nothing is written into the checkout.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = [
    "boards",
    "converter",
    "device_agent",
    "firmware_sim",
    "fleet_server",
    "runtimes",
    "tinyfleet",
    "trainer",
    "wire",
]
EXTRAS = ["base", "agent", "agent-legacy", "sim", "server"]
HEAVY = {
    "ai_edge_litert",
    "capstone",
    "elftools",
    "fastapi",
    "iotcore",
    "keras",
    "nicegui",
    "numpy",
    "paho",
    "scipy",
    "seglearn",
    "sklearn",
    "sqlite_utils",
    "tensorflow",
    "tflite_micro",
    "tflite_runtime",
    "tuf",
    "unicorn",
    "uvicorn",
    "ziglang",
}
#: Which of HEAVY each extra brings; all others must be absent.
BRINGS = {
    "base": set(),
    "agent": {"ai_edge_litert", "numpy", "paho", "tuf"},
    "agent-legacy": {"numpy", "paho", "tflite_runtime", "tuf"},
    "sim": {
        "ai_edge_litert",
        "capstone",
        "elftools",
        "numpy",
        "paho",
        "tflite_micro",
        "tuf",
        "unicorn",
        "ziglang",
    },
    "server": {"fastapi", "iotcore", "nicegui", "numpy", "paho", "scipy", "sqlite_utils", "tuf", "uvicorn"},
}
#: Modules of ours that each extra must be able to import; ``package.*`` is every module of it.
DEVICE = ["wire.*", "boards.*", "device_agent.*"]
IMPORTS = {
    "base": ["tinyfleet.cli", "boards.*", "wire.errors", "wire.manifest", "wire.messages", "wire.topics"],
    "agent": [*DEVICE, "runtimes.litert", "tinyfleet.commands.agent"],
    "agent-legacy": [*DEVICE, "runtimes.litert", "tinyfleet.commands.agent"],
    "sim": [
        *DEVICE,
        "runtimes.tflm",
        "firmware_sim.*",
        "converter.image.*",
        "converter.repair",
        "converter.source",
        "tinyfleet.commands.bench",
        "tinyfleet.commands.sim",
    ],
    "server": ["wire.trust", "boards.*", "fleet_server.*", "tinyfleet.commands.serve"],
}
#: Modules of ours that need another extra.
REFUSES = {
    "base": ["wire.trust", "wire.preprocess", "device_agent.link", "fleet_server.app"],
    "agent": ["runtimes.tflm", "fleet_server.app"],
    "agent-legacy": ["runtimes.tflm", "fleet_server.app"],
    "sim": ["fleet_server.app"],
    "server": ["runtimes.litert", "runtimes.tflm"],
}
every_extra = pytest.mark.parametrize("extra", EXTRAS)

TRY_IMPORTS = """
import importlib, json, pkgutil, sys
def expand(name):
    if not name.endswith(".*"):
        return [name]
    package = importlib.import_module(name[:-2])
    found = [m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
    return [package.__name__, *(m for m in found if not m.endswith("__main__"))]
result = {}
for pattern in sys.argv[1:]:
    for name in expand(pattern):
        try:
            importlib.import_module(name)
            result[name] = None
        except ModuleNotFoundError as error:
            result[name] = error.name
print(json.dumps(result))
"""


@pytest.fixture(scope="module")
def pythons(tmp_path_factory):
    """The interpreter of an environment for every extra."""
    folder = tmp_path_factory.mktemp("extras")
    wheel = build_wheel(folder)
    with ThreadPoolExecutor(2) as pool:
        made = pool.map(lambda extra: make_environment(folder / extra, wheel, extra), EXTRAS)
        return dict(zip(EXTRAS, made, strict=True))


@every_extra
def test_its_modules_import(pythons, extra):
    missing = {name: why for name, why in imports(pythons[extra], IMPORTS[extra]).items() if why}
    assert missing == {}


@every_extra
def test_modules_of_other_extras_do_not_import(pythons, extra):
    result = imports(pythons[extra], REFUSES[extra])
    assert {name: why for name, why in result.items() if why is None} == {}
    # for the library that they lack, not because the module has moved
    assert [why for why in result.values() if why.split(".")[0] in PACKAGES] == []


@every_extra
def test_it_brings_what_it_needs_and_nothing_else(pythons, extra):
    result = imports(pythons[extra], sorted(HEAVY))
    assert {name for name, why in result.items() if why is None} == BRINGS[extra]


@every_extra
def test_help_works(pythons, extra):
    done = run(pythons[extra], "-m", "tinyfleet", "--help")
    assert done.returncode == 0, done.stderr
    assert "rollout" in done.stdout


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        ("serve", "server"),
        ("device list", "server"),
        ("agent run --config none.toml", "agent"),
        ("train watch --out none", "train"),
        ("trust init none", "trust"),
        ("sim exec none.tflite --board rpi-pico --inputs none.npy", "sim"),
        ("bench mcu --model none.tflite", "sim"),
    ],
)
def test_a_missing_library_is_one_line_that_names_the_extra(pythons, words, extra):
    done = run(pythons["base"], "-m", "tinyfleet", *words.split())
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"is not installed (pip install 'tinyfleet[{extra}]')" in done.stderr


def test_legacy_has_the_numpy_that_its_runtime_was_built_for(pythons):
    done = run(
        pythons["agent-legacy"],
        "-c",
        "import numpy, runtimes.litert as r; print(numpy.__version__, r.VERSION)",
    )
    assert done.stdout.startswith("1.")
    assert "tflite-runtime 2.14.0" in done.stdout


def build_wheel(folder):
    source = folder / "source"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", source)
    (source / "README.md").write_text("# tinyfleet\n")
    pip(["wheel", "--no-deps", "--wheel-dir", str(folder), str(source)])
    return next(folder.glob("*.whl"))


def make_environment(folder, wheel, extra):
    run(sys.executable, "-m", "venv", "--without-pip", str(folder)).check_returncode()
    python = folder / "bin" / "python"
    constraints = ROOT / ("constraints-legacy.txt" if extra == "agent-legacy" else "constraints.txt")
    wanted = str(wheel) if extra == "base" else f"tinyfleet[{extra}] @ {wheel.as_uri()}"
    pip(["install", "--no-compile", "--constraint", str(constraints), wanted], python)
    return python


def pip(arguments, python=sys.executable):
    done = run(sys.executable, "-m", "pip", "--python", str(python), "--quiet", *arguments)
    assert done.returncode == 0, done.stderr[-2000:]


def imports(python, names):
    """For every module its missing library, or None when it imports."""
    done = run(python, "-c", TRY_IMPORTS, *names)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def run(*command):
    # Isolated from the checkout: neither its folder nor PYTHONPATH may lend a module.
    command = [str(command[0]), "-I", *map(str, command[1:])]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, cwd="/")
