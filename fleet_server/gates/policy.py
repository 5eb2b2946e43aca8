"""What a rollout's gates watch and how much they tolerate."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Probability = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Rate = Annotated[float, msgspec.Meta(gt=0, le=0.5)]
Margin = Annotated[float, msgspec.Meta(ge=0, le=1)]
Weight = Annotated[float, msgspec.Meta(gt=0, le=100)]
Need = Literal["no_harm", "proof"]
"""no_harm: a stage passes unless harm was shown; proof: only once it was shown that there is none."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """New version beside the control arm, device by device."""

    margin: Margin
    """A change for the worse of up to so much is tolerated (a non-inferiority margin)."""
    side: Literal["worse", "both"] = "worse"
    """both: a change in either direction is a failure."""
    need: Need = "no_harm"
    weight: Weight = 1.0
    """Of the promised alpha, in proportion to the other gates' weights."""


class Latency(Comparison, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one percentile of the inferences' latency; ``margin`` is the tolerated growth."""

    margin: Margin = 0.1
    percentile: Literal[50, 95, 99] = 95
    weight: Weight = 2.0


class Limit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rate over the exposed devices that may not be exceeded, without a comparison."""

    rate: Rate
    weight: Weight = 1.0


class Hazard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Restarts and falling silent after the confirm, beside the control arm."""

    weight: Weight = 1.0


class Gates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """None switches a gate off. Those that a rollout's devices report nothing for stay undecided."""

    alpha: Probability = 0.05
    """Highest probability that a rollout without a regression is stopped, over all gates and all looks."""
    min_devices: Annotated[int, msgspec.Meta(ge=2, le=10_000)] = 3
    """Fewest devices in either arm for a comparison."""
    min_inferences: Annotated[int, msgspec.Meta(ge=1)] = 10
    """A device counts in a comparison once so many of its inferences were reported."""
    baseline_s: Annotated[float, msgspec.Meta(ge=0, le=1e7)] = 3600.0
    """How long before the rollout a device's own past begins."""
    failures: Limit | None = Limit(rate=0.005, weight=2.0)
    """Devices that fell back, failed or fell silent on the way to the new version."""
    crashes: Hazard | None = Hazard()
    accuracy: Comparison | None = Comparison(margin=0.01, weight=4.0)
    """Share of correct answers where labels, or proxies of them, exist."""
    errors: Comparison | None = Comparison(margin=0.001, weight=2.0)
    """Share of inferences that failed."""
    latency: Latency | None = Latency()
    confidence: Comparison | None = Comparison(margin=0.1)
    """Mean confidence. A better model is surer; ``side="both"`` is for versions that should be alike."""
    classes: Comparison | None = Comparison(margin=0.3)
    """Total variation distance of the answers from the device's own before the rollout. A better model gives
    other answers, too: the default sees a collapse, a smaller margin is for versions that are alike."""
    memory: Comparison | None = Comparison(margin=0.25)
    """Growth of the arena or of the agent's resident memory."""
    energy: Comparison | None = Comparison(margin=0.25)
    """Growth of the energy of an inference."""
    disagreement: Limit | None = None
    """Mean share of shadow inferences on which old and new version disagree."""
