"""What is done to a Keras model's weights before it is quantised."""

from __future__ import annotations

import msgspec


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing by default: plain post-training quantisation."""

    prune: float = 0.0
    """Share of each kernel's weights set to zero, the smallest first."""
    clusters: int = 0
    """Distinct values that a kernel keeps; 0 for all."""
    qat_epochs: int = 0
    """Epochs of quantisation-aware fine-tuning on labelled samples."""
    seed: int = 0

    @property
    def plain(self) -> bool:
        """Whether the weights stay what they are."""
        return not (self.prune or self.clusters or self.qat_epochs)
