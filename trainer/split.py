"""Who is trained on, who chooses the epoch, and who is held out.

By group, never by window: windows of one person in train and test raise the accuracy of the watch
task from about .80 to .97, which no new wearer will see.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from wire.errors import InputError


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """Disjoint sets of groups."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def choose(
    groups: Sequence[str],
    *,
    validation: Sequence[str],
    test: Sequence[str],
    train: int | Sequence[str] | None = None,
) -> Split:
    """Validation and test are the task's; ``train`` is a number of the other groups, or which.

    Raises InputError when the wish is empty, unknown, or reaches into the held-out groups.
    """
    free = [group for group in groups if group not in {*validation, *test}]
    if train is None:
        train = len(free)
    if isinstance(train, int):
        possible, wanted = 1 <= train <= len(free), free[:train]
    else:
        possible, wanted = set(train) <= set(free), [group for group in free if group in train]
    if not possible or not wanted:
        names = ",".join(free)
        raise InputError(
            "bad_groups",
            f"cannot train on groups {train!r}: {list(validation)} and {list(test)} are held out",
            f"give a number from 1 to {len(free)}, or some of {names}",
        )
    return Split(train=tuple(wanted), validation=tuple(validation), test=tuple(test))


def parse_groups(text: str) -> int | list[str]:
    """``"3"`` is a number of groups, ``"1,2,5"`` (or ``"5,"``) names them; InputError otherwise."""
    try:
        if "," not in text:
            return int(text)
        return [word.strip() for word in text.split(",") if word.strip()]
    except ValueError as error:
        raise InputError("bad_groups", f"{text!r} is not a number or a list", "such as 3 or 1,2,5") from error
