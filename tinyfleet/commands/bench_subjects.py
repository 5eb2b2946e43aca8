"""``tinyfleet bench subjects``: how the real answers vary that rollouts are simulated with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinyfleet.output import Json, emit, say
from wire.errors import ExitCode, InputError


def subjects(
    rebuild: Annotated[
        Path | None, typer.Option(help="Train, ask and measure again into this .npz; some minutes.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the trainings of --rebuild.")] = 1,
    picture: Annotated[Path | None, typer.Option(help="A file for accuracy by subject, SVG.")] = None,
    as_json: Json = False,
) -> None:
    """Real answers to real people whom the models never saw, and how they vary.

    After --rebuild exit code 6 when the answers are not those that are shipped.
    """
    from tinyfleet.bench import spread, spread_tables
    from tinyfleet.bench.subjects import build, load

    shipped = load()
    data = shipped if rebuild is None else build(rebuild, seed, say)
    if picture is not None:
        _write(picture, spread_tables.picture(data))
    found = spread.describe(data)
    emit(found, as_json, lambda: spread_tables.told(found))
    if data.answers_sha256() != shipped.answers_sha256():
        say("these are not the answers that are shipped")
        raise typer.Exit(ExitCode.FINDINGS)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise InputError("unwritable", f"cannot write {file}: {error.strerror}", "check the path") from error
