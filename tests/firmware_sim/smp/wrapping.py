"""Images as imgtool wraps them, and addresses at which a board may listen."""

import itertools
import os
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path

from converter.image.compiler import compile_image
from tests.device_agent.tiny_model import tiny_model

BIN = Path(sys.executable).parent
#: Two models of the same shape with opposite answers: which of them answers can be told.
OLD, NEW = tiny_model(), tiny_model(damaged=True)
_calls = itertools.count()


@cache
def image(model: bytes) -> bytes:
    return compile_image(model).data


def imgtool(*words) -> str:
    done = subprocess.run(
        [str(BIN / "imgtool"), *map(str, words)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def wrap(folder: Path, content: bytes, version: str = "2.0.1", *options) -> Path:
    """The file that ``imgtool sign`` makes."""
    number = next(_calls)
    bare, signed = folder / f"bare{number}.bin", folder / f"signed{number}.bin"
    bare.write_bytes(content)
    sizes = ("-H", 32, "--pad-header", "-S", 0x40000, "--align", 8)
    imgtool("sign", *sizes, "-v", version, *options, bare, signed)
    return signed


def free_address() -> str:
    """A loopback address of its own for every board: smpmgr knows one port only."""
    for _ in range(100):
        address = ".".join(map(str, (127, *os.urandom(2), 7)))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((address, 1337))
            except OSError:
                continue
            return address
    raise AssertionError("no free loopback address")
