"""``tinyfleet agent``: a Linux device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def agent() -> None:
    """Run the agent of a Linux device."""


@app.command()
def run(
    config: Annotated[Path, typer.Option("--config", help="The device's agent.toml.")],
) -> None:
    """Run the agent until SIGTERM or SIGINT."""
    from device_agent.process import run_agent

    run_agent(config)
