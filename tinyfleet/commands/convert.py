"""``tinyfleet convert SRC --out DIR --key release.key``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinyfleet.keyfile import DEFAULT_DAYS, expiry, read_key
from tinyfleet.output import Json, emit


def command(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Run folder, .keras or int8 .tflite.")],
    out: Annotated[Path, typer.Option(help="Bundle directory to make.")],
    key: Annotated[Path, typer.Option(help="Release key (PEM) that signs the bundle.")],
    name: Annotated[str | None, typer.Option(help="Model name. Default: the task, or the file's.")] = None,
    model_version: Annotated[int, typer.Option(min=1, help="Version of the model.")] = 1,
    target: Annotated[list[str] | None, typer.Option(help="Target to build for. Default: all.")] = None,
    calibration: Annotated[Path | None, typer.Option(help="Samples (.npz with x) to quantise by.")] = None,
    evaluation: Annotated[
        Path | None, typer.Option("--eval", help="Labelled samples (.npz with x, y) to score by.")
    ] = None,
    max_drop: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Most accuracy that int8 may cost.")
    ] = 0.03,
    days: Annotated[int, typer.Option(min=1, help="Days until the signature expires.")] = DEFAULT_DAYS,
    as_json: Json = False,
) -> None:
    """Quantise a model, measure it and make a signed bundle."""
    from converter.conversion import convert
    from converter.summary import describe

    made = convert(
        source,
        out,
        signer=read_key(key),
        expires=expiry(days),
        name=name,
        version=model_version,
        target_names=target or (),
        calibration=calibration,
        evaluation=evaluation,
        max_drop=max_drop,
    )
    emit(made, as_json, lambda: describe(made))
