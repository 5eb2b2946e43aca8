"""``tinyfleet train TASK --out RUN``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinyfleet.output import Json, emit, say


def command(
    task: Annotated[str, typer.Argument(help="What to train, such as: watch.")],
    out: Annotated[Path, typer.Option(help="Run folder to make.")],
    groups: Annotated[
        str | None,
        typer.Option(
            "--groups", "--subjects", help="Train groups: how many (3) or which (1,2,5). Default: all."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 1,
    width: Annotated[int, typer.Option(min=1, max=256, help="Filters of the first layer.")] = 16,
    epochs: Annotated[int, typer.Option(min=1, max=1000, help="Most passes over the data.")] = 40,
    as_json: Json = False,
) -> None:
    """Train a model for a task into a run folder."""
    from trainer.network import Hyperparameters
    from trainer.split import parse_groups
    from trainer.training import train

    run = train(
        task,
        out,
        groups=None if groups is None else parse_groups(groups),
        seed=seed,
        hyper=Hyperparameters(width=width, epochs=epochs),
        progress=say,
    )
    emit(
        {"run": str(out), "report": run},
        as_json,
        lambda: (
            f"{out}: {run.title}; accuracy {run.metrics.test_accuracy:.3f} on held-out groups "
            f"{', '.join(run.split['test'].groups)}; next: tinyfleet convert {out} --out BUNDLE"
        ),
    )
