"""What a device says: every report carries its boot and a sequence number of that boot."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from device_agent.shadow import Comparisons
from device_agent.update_state import Attempt, State
from device_agent.window import Window
from wire.messages import BootId, Hardware, LatencyClock, Reported, Shadow, Status, Telemetry
from wire.states import Presence, Reason

#: Connections of one boot that the session number has room for.
_CONNECTIONS_PER_BOOT = 2**24


class Reports:
    """Builds the messages of one boot of one device."""

    def __init__(
        self,
        device: str,
        boots: int,
        boot: BootId,
        hardware: Hardware,
        clock: LatencyClock,
        now: Callable[[], datetime],
        active_uw: float | None = None,
    ) -> None:
        """``active_uw``: power while a model computes, microwatts; None where it is not known."""
        self._device = device
        self._boots = boots
        self._boot = boot
        self._hardware = hardware
        self._clock = clock
        self._now = now
        self._active_uw = active_uw
        self._seq = 0
        self._connections = 0

    def new_session(self) -> None:
        """Count a connection: sessions rise over connections and boots."""
        self._connections += 1

    def status(self, presence: Presence) -> Status:
        """Presence in the current session."""
        session = self._boots * _CONNECTIONS_PER_BOOT + self._connections
        return Status(device=self._device, state=presence, session=session, boot=self._boot)

    def reported(self, state: State, attempt: Attempt | None) -> Reported:
        """How ``attempt`` stands, and what the device holds."""
        return Reported(
            device=self._device,
            boot=self._boot,
            seq=self._next(),
            sequence=state.sequence,
            attempt=None if attempt is None else attempt.id,
            state=None if attempt is None else attempt.state,
            reason=Reason.NONE if attempt is None else attempt.reason,
            detail="" if attempt is None else attempt.detail,
            running=state.running,
            slots={"a": state.slots.a, "b": state.slots.b},
            downloaded_bytes=0 if attempt is None else attempt.downloaded_bytes,
            hardware=self._hardware,
        )

    def telemetry(self, window: Window, stride: int, dropped: int) -> Telemetry:
        """One closed window."""
        return Telemetry(
            device=self._device,
            boot=self._boot,
            seq=self._next(),
            attempt=window.attempt,
            model=window.model.ref,
            numerics=window.model.numerics,
            at_unix_s=self._now().timestamp(),
            duration_s=window.duration_s,
            n=window.n,
            errors=window.errors,
            first=window.first,
            stride=stride,
            latency_clock=self._clock,
            latency=dict(window.latency),
            latency_sum_us=round(window.latency_sum_us),
            labelled=window.labelled,
            correct=window.correct,
            classes=window.classes,
            confidence=window.confidence,
            inputs=window.inputs.channels,
            tensor=window.inputs.tensor,
            rss_bytes=resident_bytes() if self._clock == "device" else None,
            arena_bytes=window.model.arena_bytes,
            dropped=dropped,
            energy_uj=None if self._active_uw is None else energy_uj(window.latency_sum_us, self._active_uw),
            shadow=None if window.shadow is None else _told(window.shadow),
        )

    def _next(self) -> int:
        self._seq += 1
        return self._seq


def energy_uj(busy_us: float, active_uw: float) -> int:
    """Microjoules of so many microseconds at so many microwatts: the cycles' time, current and voltage."""
    return round(busy_us * active_uw / 1e6)


def _told(sums: Comparisons) -> Shadow:
    return Shadow(
        model=sums.model,
        n=sums.n,
        disagreed=sums.disagreed,
        errors=sums.errors,
        latency_sum_us=round(sums.latency_ns / 1000),
    )


def resident_bytes() -> int | None:
    """Resident memory of this process (proc(5), ``statm``); None where there is no such file."""
    try:
        pages = Path("/proc/self/statm").read_bytes()[:200].split()[1]
    except (OSError, IndexError):
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
