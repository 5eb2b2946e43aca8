"""A live sensor: any program that prints one JSON object a window, in whatever language.

``{"window": [[0.1, ...], ...]}`` in the sensor's own units, of the shape that the model takes, and
``"label": 3`` where the truth is known. What it prints otherwise is counted and passed over; when it
ends it is started again. It runs apart from the agent, so that its crash is not the agent's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Final

import msgspec
import numpy as np

from device_agent.sensor import Reading

MAX_LINE_BYTES: Final = 1024 * 1024
_RESTART_S: Final = (1.0, 60.0)
_STOP_S: Final = 5.0

log = logging.getLogger("tinyfleet.device")


class Line(msgspec.Struct):
    """One line of the program."""

    window: list[object]
    label: Annotated[int, msgspec.Meta(ge=0)] | None = None


class ProgramSensor:
    """Reads windows from the standard output of a child process."""

    stride = 1

    def __init__(self, command: Sequence[str], restart_s: tuple[float, float] = _RESTART_S) -> None:
        """``restart_s``: first and longest pause before the program is started again."""
        self._command = command
        self._restart_s = restart_s
        self.rejected = 0
        """Lines that were no window."""
        self.starts = 0

    async def readings(self) -> AsyncGenerator[Reading, None]:
        """Windows as the program prints them; endless, for it is started again whenever it ends."""
        step, pause_s = 0, self._restart_s[0]
        while True:
            async with aclosing(self._lines()) as lines:
                async for line in lines:
                    reading = self._reading(step, line)
                    if reading is not None:
                        step, pause_s = step + 1, self._restart_s[0]
                        yield reading
            step += 1  # a gap: what comes next is no neighbour of what came before
            log.warning("sensor: %s ended, started again in %.0f s", self._command[0], pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, self._restart_s[1])

    async def _lines(self) -> AsyncGenerator[bytes, None]:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdout=asyncio.subprocess.PIPE, limit=MAX_LINE_BYTES
            )
        except OSError as error:
            log.error("sensor: cannot start %s: %s", self._command[0], error.strerror)
            return
        self.starts += 1
        assert process.stdout is not None  # noqa: S101 - asked for above
        try:
            while line := await process.stdout.readline():
                yield line
        except ValueError:
            log.error("sensor: a line of %s is over %d bytes", self._command[0], MAX_LINE_BYTES)
        finally:
            await _end(process)

    def _reading(self, step: int, line: bytes) -> Reading | None:
        try:
            parsed = msgspec.json.decode(line, type=Line)
            window = np.array(parsed.window, dtype=np.float32)
        except (msgspec.MsgspecError, ValueError, TypeError) as error:
            self.rejected += 1
            log.warning("sensor: not a window: %s", str(error)[:160])
            return None
        return Reading(step, None, window, parsed.label)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(_ended(process), _STOP_S)
    except TimeoutError:
        process.kill()
        await _ended(process)


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Read on until the end, for a pipe whose reader has paused is never closed."""
    while process.stdout is not None and await process.stdout.read(MAX_LINE_BYTES):
        pass
    await process.wait()
