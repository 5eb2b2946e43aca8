"""Secrets of channels: from a file or from the environment, so that none stands in the settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from wire.errors import InputError

MAX_BYTES: Final = 4096


def read(file: str | None, variable: str | None, name: str) -> str | None:
    """The secret that ``{name}_file`` or ``{name}_env`` leads to; None when neither is given.

    InputError that names the key, and never repeats what was found.
    """
    if file is not None and variable is not None:
        raise _bad(f"{name}_file and {name}_env are both given", "keep one of them")
    if file is not None:
        return _checked(_read(file, name), f"{name}_file")
    if variable is None:
        return None
    value = os.environ.get(variable)
    if value is None:
        raise _bad(f"{name}_env: there is no environment variable {variable[:80]}", "set it for the server")
    return _checked(value, f"{name}_env")


def _read(file: str, name: str) -> str:
    try:
        with Path(file).open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _bad(f"{name}_file: cannot read {file[:200]}: {error}"[:300], "check the path") from error
    if len(data) > MAX_BYTES:
        raise _bad(f"{name}_file: over {MAX_BYTES} bytes", "give a file with nothing but the secret")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _bad(f"{name}_file: not UTF-8", "give a file with nothing but the secret") from error


def _checked(text: str, key: str) -> str:
    text = text.strip()
    if not text or not text.isprintable():
        raise _bad(f"{key}: empty, or not one line of text", "give nothing but the secret")
    return text


def _bad(message: str, hint: str) -> InputError:
    return InputError("bad_secret", message, hint)
