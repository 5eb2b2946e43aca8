"""``tinyfleet runs``: what was trained, which is better, and whether it can be made again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinyfleet.output import Json, emit, say
from tinyfleet.table import table
from wire.errors import ExitCode

if TYPE_CHECKING:
    from trainer.run import Run
    from trainer.runs.comparison import Comparison

app = typer.Typer(no_args_is_help=True)
Where = Annotated[Path, typer.Option("--in", help="Folder to look for runs in.")]
What = Annotated[str, typer.Argument(metavar="RUN", help="A run folder, or the beginning of a run's id.")]
_SHORT = 10


@app.command("list")
def list_(where: Where = Path(), as_json: Json = False) -> None:
    """List the runs below a folder."""
    from trainer.runs.listing import find

    found = find(where)
    rows = [
        (run.id[:_SHORT], run.task, run.recipe.name, str(run.seed), *_figures(run), str(folder))
        for folder, run, _ in found
        if run is not None
    ]
    for folder, run, wrong in found:
        if run is None:
            say(f"{folder} is left out: {wrong}")
    emit(
        {"runs": [{"folder": str(folder), "run": run} for folder, run, _ in found if run is not None]},
        as_json,
        lambda: table(("RUN", "TASK", "RECIPE", "SEED", "VALIDATION", "HELD OUT", "FOLDER"), rows),
    )


def _figures(run: Run) -> tuple[str, str]:
    test = run.metrics.test_accuracy
    return f"{run.metrics.validation_accuracy:.3f}", "not looked at" if test is None else f"{test:.3f}"


@app.command()
def show(what: What, where: Where = Path(), as_json: Json = False) -> None:
    """Show one run."""
    from trainer.run import read
    from trainer.runs.listing import named

    folder = named(what, where)
    run = read(folder)
    emit({"folder": str(folder), "run": run}, as_json, lambda: "\n".join(_lines(folder, run)))


def _lines(folder: Path, run: Run) -> list[str]:
    validation, held_out = _figures(run)
    parts = ", ".join(f"{part.count} {name} groups ({part.windows})" for name, part in run.split.items())
    hyper = ", ".join(f"{name} {value}" for name, value in run.hyperparameters.items())
    return [
        f"{folder}: {run.title}",
        f"id         {run.id}",
        f"weights    {run.model_sha256}",
        f"data       {run.data.name} {run.data.digest}",
        f"split      {parts} windows of {run.window} by {run.stride}",
        f"recipe     {run.recipe.name}{' (own)' if run.recipe.own else ''} {run.recipe.sha256[:_SHORT]}",
        f"settings   {hyper}; seed {run.seed}",
        f"accuracy   {validation} on validation groups, {held_out} on held-out groups",
        f"packages   {', '.join(f'{name} {each}' for name, each in run.packages.items())}",
        f"machine    {', '.join(run.machine.values())}",
        f"took       {run.epochs_run} epochs, {run.seconds:g} s",
    ]


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(help="The run to compare with, and others.")],
    where: Where = Path(),
    as_json: Json = False,
) -> None:
    """Compare runs with the first on the same held-out windows, group by group."""
    from trainer.runs import answers, comparison
    from trainer.runs.listing import named

    found = comparison.compare([answers.load(named(run, where)) for run in runs])
    emit(found, as_json, lambda: "\n".join(_compared(found)))


def _compared(found: Comparison) -> list[str]:
    rows = [(found.first, f"{found.accuracy:.3f}", "", "", "")]
    for other in found.others:
        between = "-" if other.low is None else f"{other.low * 100:+.1f} .. {(other.high or 0) * 100:+.1f}"
        gain = f"{other.difference * 100:+.1f}"
        rows.append((other.run, f"{other.accuracy:.3f}", gain, between, str(other.windows_changed)))
    return [
        table(("RUN", "ACCURACY", "POINTS", f"BETWEEN ({found.confidence:.0%})", "WINDOWS CHANGED"), rows),
        "",
        *[other.verdict for other in found.others],
        f"{found.windows} held-out windows of {found.groups} groups; every group counts the same",
    ]


@app.command()
def reproduce(what: What, where: Where = Path(), as_json: Json = False) -> None:
    """Train a run again and compare the weights; exit 0 when they are equal, 4 when they are not."""
    from trainer.runs.listing import named
    from trainer.runs.reproduction import reproduce as again

    found = again(named(what, where), say)
    words = "the same weights" if found.equal else "NOT the same weights"
    if not found.trained:
        words = "cannot be the same weights, so nothing was trained"
    emit(
        found, as_json, lambda: "\n".join([f"{found.run}: {words}", *(f"  {each}" for each in found.differs)])
    )
    if not found.equal:
        raise typer.Exit(ExitCode.REFUSED)


@app.command()
def export(
    what: What,
    mlflow: Annotated[str, typer.Option(help="Tracking URI, such as sqlite:///mlflow.db.")],
    samples: Annotated[bool, typer.Option("--samples", help="Send the recordings too.")] = False,
    where: Where = Path(),
    as_json: Json = False,
) -> None:
    """Export a run to MLflow."""
    from trainer.runs.listing import named
    from trainer.runs.mlflow_export import export as send

    done = send(named(what, where), mlflow, samples=samples)
    words = "was there already as" if done.existed else "is now"
    emit(done, as_json, lambda: f"{done.run} {words} run {done.mlflow_run_id} of {done.experiment}")
