"""What was asked of a conversion besides its files: with the same sources, enough to do it again."""

from __future__ import annotations

from typing import Literal

import msgspec

from converter.gate import Rule
from converter.metrics import Metric


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Options of ``tinyfleet convert``; name and version are the manifest's, the recipe is its own."""

    targets: list[str]
    """Those that were named, sorted; empty when none was: then all that can run the model."""
    metric: Metric
    rule: Rule
    max_drop: float
    activations: Literal["int8", "int16", "auto"]
    plan: bool
    """Whether a better memory plan was looked for."""
