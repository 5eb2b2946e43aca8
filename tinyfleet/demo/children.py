"""The demo's processes: our own commands, each with its log, none outliving the demo."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from fleet_server.broker import keeper
from wire.errors import ExitCode, FleetError, RefusedError

_STOP_S: Final = 15.0
_TAIL_BYTES: Final = 4096


class Children:
    """Runs ``tinyfleet`` commands: to their end, or in the background until the demo ends."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, process in reversed(self._running):
            self._end(process)

    def call(self, name: str, *arguments: object) -> Any:
        """Run a command to its end and return its JSON; FleetError with its last words when it fails."""
        with self._log(name).open("wb") as log:
            done = subprocess.run(
                [*_tinyfleet(arguments), "--json"], stdout=subprocess.PIPE, stderr=log, check=False
            )
        if done.returncode != ExitCode.OK:
            family = RefusedError if done.returncode == ExitCode.REFUSED else FleetError
            raise family("step_failed", f"{name}: {self._last_line(name)}", f"see {self._log(name)}")
        return msgspec.json.decode(done.stdout)

    def start(self, name: str, *arguments: object) -> None:
        """Run a command in the background; it ends with the demo, however the demo ends."""
        command = [sys.executable, "-I", "-S", keeper.__file__, str(_STOP_S), *_tinyfleet(arguments)]
        with self._log(name).open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT)
        self._running.append((name, process))

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a program in the background."""
        for running, process in self._running:
            if running == name:
                process.send_signal(number)

    def check(self) -> None:
        """FleetError when a background process has ended by itself."""
        for name, process in self._running:
            if process.poll() is not None:
                raise FleetError(
                    "process_ended", f"{name} ended: {self._last_line(name)}", f"see {self._log(name)}"
                )

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _last_line(self, name: str) -> str:
        with self._log(name).open("rb") as log:
            log.seek(max(0, self._log(name).stat().st_size - _TAIL_BYTES))
            lines = deque((line for line in log.read().splitlines() if line.strip()), maxlen=1)
        return lines[0].decode("utf-8", "replace") if lines else "it said nothing"

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(_STOP_S + 5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _tinyfleet(arguments: tuple[object, ...]) -> list[str]:
    return [sys.executable, "-m", "tinyfleet", *map(str, arguments)]
