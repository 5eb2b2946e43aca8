"""``tinyfleet bench``: measurements beside a reference, both made in the same run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from tinyfleet.commands.bench_subjects import subjects
from tinyfleet.output import Json, emit, say
from wire.errors import InputError

if TYPE_CHECKING:
    from firmware_sim.cmsis_check import Check
    from firmware_sim.comparison import Comparison, Flagged

_SHARED = Path("..") / "shared" / "models"
"""MLPerf Tiny's reference models, where a checkout has them beside it."""
_REFERENCES = {"kws": "kws/kws_ref_model.tflite", "ic": "ic/pretrainedResnet_quant.tflite"}

app = typer.Typer(no_args_is_help=True)
app.command()(subjects)


@app.callback()
def bench() -> None:
    """Measurements beside a reference, both made in the same run."""


@app.command()
def mcu(
    model: Annotated[
        list[Path] | None,
        typer.Option(help="A .tflite, several times; else our watch task and ../shared/models."),
    ] = None,
    board: Annotated[list[str] | None, typer.Option(help="A board, several times; else five.")] = None,
    compare_flags: Annotated[
        bool, typer.Option("--flags", help="Build with other compiler flags, too.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option(help="Check the cycle table with CMSIS-NN's kernels against a board (needs bakenn)."),
    ] = False,
    page: Annotated[Path | None, typer.Option(help="A Markdown page whose tables are renewed.")] = None,
    as_json: Json = False,
) -> None:
    """Models on emulated boards, beside TFLM's arena and published results."""
    from firmware_sim import cmsis_check, comparison

    found: list[Comparison] = []
    flagged: list[Flagged] = []
    checked: list[Check] = []
    for name, data in _models(model or []):
        say(f"{name} ...")
        found += comparison.compare(name, data, tuple(board) if board else comparison.BOARDS)
        if compare_flags and any(each.execution for each in found if each.model == name):
            flagged += comparison.flags(name, data, tuple(board) if board else comparison.FLAG_BOARDS)
        if check and cmsis_check.has_result(data):
            checked.append(cmsis_check.check(name, data))
    text = _markdown(found, flagged, checked)
    if page is not None:
        _renew(page, text, "mcu")
    emit({"runs": found, "flags": flagged, "checks": checked}, as_json, lambda: text)


@app.command()
def rollout(
    runs: Annotated[int, typer.Option(min=1, help="Rollouts without a regression.")] = 60,
    harmful: Annotated[int, typer.Option(min=1, help="Rollouts of each kind of regression.")] = 5,
    devices: Annotated[int, typer.Option(min=20, max=5000, help="Devices of each rollout.")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Of the first rollout; the next one's is one more.")] = 1,
    processes: Annotated[int, typer.Option(min=1, help="Processes to spread them over.")] = 2,
    save: Annotated[Path | None, typer.Option(help="A file for the result, as --json prints it.")] = None,
    saved: Annotated[Path | None, typer.Option(help="Take this result instead of running anything.")] = None,
    page: Annotated[Path | None, typer.Option(help="A Markdown page whose tables are renewed.")] = None,
    pictures: Annotated[Path | None, typer.Option(help="A folder for the figures, SVG.")] = None,
    as_json: Json = False,
) -> None:
    """Whole rollouts in virtual time: false stops, and how soon regressions are seen.

    A virtual fleet replays real answers to real people; engine and gates are the server's own, and they look
    after every report. Beside them: a fixed threshold of failed installs, and a test that is repeated. Some
    minutes; the documentation's figures are of --runs 1000 --harmful 50, an hour and a half.
    """
    from tinyfleet.bench import rollout_pictures, rollouts
    from tinyfleet.bench.tables import told

    if saved is not None:
        found = rollouts.load(saved)
    else:
        endings = rollouts.run(rollouts.plan(runs, harmful, devices, seed), say, processes)
        found = rollouts.report(endings, devices, seed)
    if save is not None:
        _write(save, msgspec.json.format(msgspec.json.encode(found), indent=1))
    if page is not None:
        _renew(page, told(found), "rollout")
    if pictures is not None:
        for draw in (rollout_pictures.exposure, rollout_pictures.delay, rollout_pictures.false_stops):
            _write(pictures / f"rollouts-{draw.__name__.replace('_', '-')}.svg", draw(found).encode())
    emit(found, as_json, lambda: told(found))


@app.command()
def engine(
    devices: Annotated[int, typer.Option(min=50, max=100_000, help="How many.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Who is silent, who is away, who is right.")] = 1,
    as_json: Json = False,
) -> None:
    """One rollout to many devices through the server's database, engine and gates, in virtual time."""
    from tinyfleet.bench.engine import run

    found = run(devices, seed, say)
    fields = msgspec.to_builtins(found)
    emit(found, as_json, lambda: "\n".join(f"{name}: {value}" for name, value in fields.items()))


@app.command()
def drift(
    fleets: Annotated[int, typer.Option(min=1, help="Fleets without drift.")] = 100,
    changed: Annotated[int, typer.Option(min=1, help="Fleets with each kind of change.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Of the first fleet; the next one's is one more.")] = 1,
    processes: Annotated[int, typer.Option(min=1, help="Processes to spread them over.")] = 2,
    page: Annotated[Path | None, typer.Option(help="A Markdown page whose tables are renewed.")] = None,
    as_json: Json = False,
) -> None:
    """Virtual fleets of real wearers: how often drift is seen that is not there, and how soon that which is.

    Two minutes; the documentation's figures are of --fleets 1000 --changed 50.
    """
    from tinyfleet.bench.drift import run
    from tinyfleet.bench.drift_tables import told

    found = run(fleets, changed, seed, say, processes)
    if page is not None:
        _renew(page, told(found), "drift")
    emit(found, as_json, lambda: told(found))


def _write(file: Path, data: bytes) -> None:
    try:
        file.write_bytes(data)
    except OSError as error:
        raise InputError("unwritable", f"cannot write {file}: {error.strerror}", "check the path") from error


def _models(files: list[Path]) -> Iterator[tuple[str, bytes]]:
    from converter.repair import repair
    from converter.source import read_tflite

    for file in files:
        yield file.stem, repair(read_tflite(file)).model
    if files:
        return
    yield "watch", _watch()
    for name, place in _REFERENCES.items():
        if (_SHARED / place).is_file():
            yield name, repair(read_tflite(_SHARED / place)).model
        else:
            say(f"{name}: there is no {_SHARED / place}")


def _watch() -> bytes:
    """Our watch task, trained for a moment: memory and cycles do not depend on what it learns."""
    from converter.quantise import quantise
    from converter.source import load
    from trainer.network import Hyperparameters
    from trainer.training import train

    with tempfile.TemporaryDirectory(prefix="tinyfleet-") as name:
        folder = Path(name) / "run"
        train("watch", folder, groups=2, seed=1, hyper=Hyperparameters(epochs=1))
        return quantise(load(folder)).model


def _markdown(found: list[Comparison], flagged: list[Flagged], checked: list[Check]) -> str:
    from firmware_sim import tables, toolchain

    parts = [
        f"{toolchain.compiler_version()} {toolchain.OPTIMISATION}; counts are of the first of two inputs.",
        tables.runs(found),
        "### Beside published results",
        tables.others(found),
    ]
    if flagged:
        parts += ["### Compiler flags", tables.by_flag(flagged)]
    if checked:
        parts += ["### The estimate beside a board", tables.checks(checked)]
    return "\n\n".join([*parts, "### Cycle tables", tables.cycle_tables()])


def _renew(page: Path, text: str, bench: str) -> None:
    from firmware_sim import tables

    try:
        page.write_text(tables.placed(page.read_text("utf-8"), text, bench), "utf-8")
    except OSError as error:
        raise InputError("unwritable", f"cannot renew {page}: {error.strerror}", "check the path") from error
