"""What the demo shows while it works: one line a step, live where there is a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape


class Screen:
    """Messages on stderr, so that ``--json`` on stdout stays clean."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)

    def title(self, text: str) -> None:
        """A heading."""
        self._console.print(f"\n[bold]{escape(text)}[/bold]")

    def line(self, text: str) -> None:
        """One line under the present heading."""
        self._console.print(f"    {escape(text)}")

    @contextmanager
    def step(self, what: str) -> Iterator[Callable[[str], None]]:
        """A piece of work: a spinner where there is a terminal, and a line with its time when it is done.

        Yields a function that sets what the finished line adds.
        """
        result = ""

        def add(text: str) -> None:
            nonlocal result
            result = text

        started = time.monotonic()
        with self._console.status(f"{escape(what)} ..."):
            yield add
        seconds = time.monotonic() - started
        self._console.print(
            f"  [green]\N{CHECK MARK}[/green] {escape(what)}  [dim]{seconds:.1f} s[/dim]  {escape(result)}"
        )

    @contextmanager
    def rollout(self, what: str) -> Iterator[Callable[[dict[str, Any]], None]]:
        """A rollout as it goes: yields a function that shows its newest state."""
        with self._console.status(f"{escape(what)} ...") as status:
            said: list[str] = []

            def show(rollout: dict[str, Any]) -> None:
                status.update(f"{escape(what)}: {escape(_progress(rollout))}")
                for index, stage in enumerate(rollout["stages"]):
                    release = stage["kind"] == "release"
                    name = "release of the control arm" if release else f"stage {index + 1}"
                    held = f", {stage['control']} of them control" if stage["control"] else ""
                    line = f"{name} ({stage['devices']} devices{held}): {stage['state']}"
                    if stage["state"] in ("passed", "failed") and line not in said:
                        said.append(line)
                        self.line(line)

            yield show


def _progress(rollout: dict[str, Any]) -> str:
    counts = ", ".join(f"{n} {state}" for state, n in sorted(rollout["counts"].items()))
    return f"{rollout['state']}, {counts or 'nobody yet'} of {rollout['total']}"
