"""Tell systemd that the service is ready and alive (sd_notify(3)), where there is a systemd."""

from __future__ import annotations

import asyncio
import os
import socket


def notify(state: str) -> None:
    """Send ``READY=1``, ``WATCHDOG=1`` or ``STOPPING=1``; nothing without ``NOTIFY_SOCKET``."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        try:
            channel.connect(address.replace("@", "\0", 1))
            channel.send(state.encode())
        except OSError:
            return  # a supervisor that went away is no reason to stop


async def keep_watchdog() -> None:
    """Pet the watchdog from the loop that does the work, so that a hanging loop is noticed."""
    interval_us = os.environ.get("WATCHDOG_USEC", "")
    while interval_us.isdigit() and int(interval_us):
        notify("WATCHDOG=1")
        await asyncio.sleep(int(interval_us) / 2e6)
