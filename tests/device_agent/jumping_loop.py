"""An event loop in which waiting takes no time: its clock jumps to the next thing that is due."""

from __future__ import annotations

import asyncio
import selectors


class _Jump(selectors.DefaultSelector):
    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self.now_s += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """For tests of what happens at a time; nothing in it may wait for another process."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        """Seconds since the loop began, as far as it has jumped."""
        return self._jump.now_s
