"""One thing that a bundle says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from wire.errors import TrustError


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A claim that is not false: that one is a TrustError."""

    name: str
    status: Literal["verified", "not_checked"]
    detail: str
    """What was found; or why it was not checked, and what to give."""


def verified(name: str, detail: str) -> Claim:
    """It was done again, and is so."""
    return Claim(name=name, status="verified", detail=detail)


def not_checked(name: str, detail: str) -> Claim:
    """It could not be done again here."""
    return Claim(name=name, status="not_checked", detail=detail)


def false(name: str, message: str) -> TrustError:
    """To raise: the claim does not hold."""
    return TrustError(f"false_{name}", f"{name}: {message}", "do not ship it; convert again")


def compared(name: str, said: object, found: object, what: str, other_versions: Sequence[str] = ()) -> Claim:
    """Equal is verified. Unequal is false, unless other software may be why: then it was not checked.

    ``what`` says what was compared, ``other_versions`` what differs between the software here and there.
    """
    if said == found:
        return verified(name, what)
    where, one, other = _first_difference(said, found)
    difference = f"{what}{where}: the bundle says {_shown(one)}, it is {_shown(other)}"
    if other_versions:
        return not_checked(name, f"{'; '.join(other_versions)}, and that may be why. {difference}")
    raise false(name, difference)


def _first_difference(said: object, found: object) -> tuple[str, object, object]:
    """Of two structs the first field that is not the same, with its name."""
    if isinstance(said, msgspec.Struct) and type(said) is type(found):
        for name in said.__struct_fields__:
            one, other = getattr(said, name), getattr(found, name)
            if one != other:
                return f", {name}", one, other
    return "", said, found


def _shown(value: object) -> str:
    text = str(msgspec.to_builtins(value))
    return text if len(text) <= 160 else text[:159] + "…"
