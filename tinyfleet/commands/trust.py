"""``tinyfleet trust init DIR``: the keys of a fleet and the roots that name them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinyfleet.output import Json, emit
from tinyfleet.trustfiles import make

app = typer.Typer(no_args_is_help=True)


@app.callback()
def trust() -> None:
    """Make the keys and roots that a fleet trusts."""


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to put them.")], as_json: Json = False
) -> None:
    """Make release.key, director.key and the roots image-root.json and director-root.json."""
    made = make(folder)
    data = {"trust": str(folder), "files": made.files, "expires": made.expires}
    emit(
        data,
        as_json,
        lambda: (
            f"{folder}: {', '.join(made.files)}; the roots expire on {made.expires:%Y-%m-%d}. "
            "Keep release.key offline; the server needs director.key."
        ),
    )
