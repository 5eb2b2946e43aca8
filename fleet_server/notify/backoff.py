"""When to try again what failed."""

from __future__ import annotations


def delay_s(failures: int, first_s: float, most_s: float, luck: float) -> float:
    """Seconds to rest after so many failures in a row: doubled each time, up to ``most_s``.

    ``luck`` from 0 to 1 takes up to a quarter away, so that many servers do not come back at once.
    """
    if failures <= 0:
        return 0.0
    doubled: float = min(most_s, first_s * 2.0 ** min(failures - 1, 60))
    return doubled * (1 - 0.25 * luck)
