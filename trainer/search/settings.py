"""What a search is of: two searches of the same settings are one study."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from trainer.search.measured import Cost, Limits, Quantisation
from wire.manifest import digest_of

QUANTISATIONS: Final[tuple[Quantisation, ...]] = ("int8", "int8-qat")
_SHORT: Final = 12


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a trial's outcome depends on, besides its own parameters."""

    source: str
    """What is trained: a name or a path."""
    data_digest: str
    split: dict[str, str]
    """Digests of the groups."""
    wanted_groups: int | tuple[str, ...] | None = None
    recipe: str | None = None
    """As asked for; None for the one that suits the data."""
    recipe_sha256: str
    fixed: dict[str, Any] = {}
    """Hyperparameters that are not searched."""
    boards: tuple[str, ...]
    limits: Limits
    minimise: tuple[Cost, ...] = ("latency", "ram")
    """Objectives beside the int8 accuracy on the validation groups."""
    preprocessing: tuple[str, ...]
    """Kinds to choose from; none when the recipe or the user has chosen."""
    quantisations: tuple[Quantisation, ...] = QUANTISATIONS
    seed: int = 1
    packages: dict[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 of all of it."""
        return digest_of(msgspec.json.encode(self, order="deterministic"))

    @property
    def study_name(self) -> str:
        """The same on every machine that searches for the same."""
        return f"tinyfleet-{self.digest[:_SHORT]}"


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One choice of everything that is searched."""

    hyperparameters: dict[str, Any]
    quantisation: Quantisation
