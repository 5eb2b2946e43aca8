"""Who is trained on, who chooses the epoch, and who is held out.

By subject, never by window: windows of one person in train and test raise this task's accuracy
from about .80 to .97, which no new wearer will see.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from wire.errors import InputError


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """Disjoint groups of subjects."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


def choose(
    subjects: Sequence[int],
    *,
    validation: Sequence[int],
    test: Sequence[int],
    train: int | Sequence[int] | None = None,
) -> Split:
    """Validation and test are the task's; ``train`` is a number of the other subjects, or which.

    Raises InputError when the wish is empty, unknown, or reaches into the held-out subjects.
    """
    free = [subject for subject in subjects if subject not in {*validation, *test}]
    if train is None:
        wanted = free
    elif isinstance(train, int):
        wanted = free[:train] if 1 <= train <= len(free) else []
    else:
        wanted = sorted(set(train))
    if not wanted or not set(wanted) <= set(free):
        names = ",".join(str(subject) for subject in free)
        raise InputError(
            "bad_subjects",
            f"cannot train on subjects {train!r}: {list(validation)} and {list(test)} are held out",
            f"give a number from 1 to {len(free)}, or some of {names}",
        )
    return Split(train=tuple(wanted), validation=tuple(validation), test=tuple(test))


def parse_subjects(text: str) -> int | list[int]:
    """``"3"`` is a number of subjects, ``"1,2,5"`` (or ``"5,"``) names them; InputError otherwise."""
    try:
        if "," not in text:
            return int(text)
        return [int(word) for word in text.split(",") if word.strip()]
    except ValueError as error:
        raise InputError(
            "bad_subjects", f"{text!r} is not a number or a list", "such as 3 or 1,2,5"
        ) from error
