"""What other systems would do with the same streams: a fixed threshold, and a test that is repeated."""

from __future__ import annotations

import math
from typing import Final

from scipy.special import ndtri

from fleet_server.gates.evidence import Failed
from fleet_server.gates.metric import GateName
from fleet_server.gates.observation import Panel
from fleet_server.gates.verdict import Verdict
from fleet_server.rollout_policy import Policy
from tinyfleet.bench.virtual import Judge

#: Share of failed installs at which the field's rollout systems stop, by hawkBit's and others' examples.
FIXED_THRESHOLD: Final = 0.2


class FixedThreshold(Judge):
    """Stops when a fifth of the exposed devices failed to install; what the model does is not looked at."""

    def verdicts(self, _panels: dict[GateName, Panel], failures: Failed) -> list[Verdict]:
        """Of one look."""
        failed = failures.exposed > 0 and failures.failed >= FIXED_THRESHOLD * failures.exposed
        return [Verdict(gate="installs", outcome="fail" if failed else "not_yet")]


class RepeatedTest(Judge):
    """The textbook's test of two proportions over all inferences, repeated at every look.

    It takes inferences for independent and each look for the only one.
    """

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._critical = float(ndtri(1 - policy.gates.alpha))

    def verdicts(self, panels: dict[GateName, Panel], _failures: Failed) -> list[Verdict]:
        """Of one look."""
        panel = panels["accuracy"]
        right_new, n_new = panel.totals[panel.treated].sum(), panel.weights[panel.treated].sum()
        right_old, n_old = panel.totals[~panel.treated].sum(), panel.weights[~panel.treated].sum()
        if not n_new or not n_old:
            return []
        pooled = (right_new + right_old) / (n_new + n_old)
        error = math.sqrt(max(pooled * (1 - pooled), 1e-12) * (1 / n_new + 1 / n_old))
        worse = (right_old / n_old - right_new / n_new) / error
        return [Verdict(gate="accuracy", outcome="fail" if worse > self._critical else "not_yet")]
