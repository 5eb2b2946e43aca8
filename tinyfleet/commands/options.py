"""Options that several nouns share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Server = Annotated[
    str | None,
    typer.Option("--server", help="Server's address [env TINYFLEET_URL, else http://127.0.0.1:8080]."),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(help="File with the API token [else env TINYFLEET_TOKEN, else tinyfleet-data/admin.token]."),
]
