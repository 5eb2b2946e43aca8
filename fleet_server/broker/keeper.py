"""Runs one program and ends it when our own standard input closes: a child that cannot outlive us.

Run as a file, with the standard library only: ``python keeper.py GRACE_S PROGRAM [ARGUMENT ...]``.
The server holds the other end of the pipe, so the program ends with it however the server ends, on
any system. Should the keeper itself be killed, Linux ends the program too (PR_SET_PDEATHSIG). It is
set here and not by the server: between fork and exec only a process with a single thread may run
code safely, and the signal is tied to the life of the *thread* that forked.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
from types import FrameType
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def keep(argv: list[str], grace_s: float) -> int:
    """Run ``argv`` until it ends, standard input closes or SIGTERM comes; return its exit code."""
    wake_r, wake_w = os.pipe()

    def wake(_signal: int, _frame: FrameType | None) -> None:
        os.write(wake_w, b".")

    signal.signal(signal.SIGCHLD, wake)
    signal.signal(signal.SIGTERM, wake)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then ends us in order
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def die_with_keeper() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    program = subprocess.Popen(argv, stdin=subprocess.DEVNULL, preexec_fn=die_with_keeper)  # noqa: PLW1509
    # What the program takes this signal for is its own business.
    signal.signal(signal.SIGUSR1, lambda number, _frame: program.send_signal(number))
    select.select([0, wake_r], [], [])  # goes on after a signal whose handler writes no byte (PEP 475)
    if program.poll() is None:
        program.terminate()
        try:
            program.wait(grace_s)
        except subprocess.TimeoutExpired:
            program.kill()
    return program.wait()


if __name__ == "__main__":
    code = keep(sys.argv[2:], float(sys.argv[1]))
    sys.exit(code if code >= 0 else 128 - code)
