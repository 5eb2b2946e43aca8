"""A new model in the shadow of the confirmed one: it sees a share of the inputs and answers nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from device_agent.loaded_model import Answer, LoadedModel
from device_agent.sensor import Reading
from wire.errors import RefusedError
from wire.messages import AttemptId, ModelRef
from wire.states import Reason
from wire.trust import Policy

_MILLE: Final = 1000


class Comparison(NamedTuple):
    """One input that both models were given, and what the new one made of it."""

    model: ModelRef
    """The new one."""
    agreed: bool | None
    """Whether it gave the answering model's label; None: it gave no answer."""
    latency_ns: int


@dataclass
class Comparisons:
    """Sums of the comparisons with one new model."""

    model: ModelRef
    n: int = 0
    disagreed: int = 0
    errors: int = 0
    latency_ns: int = 0

    def add(self, compared: Comparison) -> None:
        """Count one."""
        self.n += 1
        self.disagreed += compared.agreed is False
        self.errors += compared.agreed is None
        self.latency_ns += compared.latency_ns


class Shadow:
    """The first part of a trial."""

    def __init__(self, attempt: AttemptId, model: LoadedModel, policy: Policy) -> None:
        self.attempt = attempt
        self.model = model
        self.policy = policy
        self._sums = Comparisons(model.ref)
        self._budget = 0
        """Thousandths of an inference that it may make."""

    @property
    def done(self) -> bool:
        """Whether it has seen what the policy wants it to see."""
        return self._sums.n >= self.policy.shadow_inferences

    def compare(self, reading: Reading, answer: Answer) -> Comparison | None:
        """Look at an input that the confirmed model gave ``answer`` to; None when it is not in the share."""
        self._budget += self.policy.shadow_per_mille
        if self._budget < _MILLE:
            return None
        self._budget -= _MILLE
        compared = self._compared(reading, answer)
        self._sums.add(compared)
        return compared

    def refusal(self) -> RefusedError | None:
        """Why it may not answer; an input without an answer is one on which it does not agree."""
        sums = self._sums
        apart = sums.disagreed + sums.errors
        if apart * _MILLE <= self.policy.shadow_max_disagree_per_mille * sums.n:
            return None
        failed = f", failed on {sums.errors}" if sums.errors else ""
        return RefusedError(Reason.SHADOW, f"disagreed on {sums.disagreed} of {sums.n} inputs{failed}")

    def _compared(self, reading: Reading, answer: Answer) -> Comparison:
        try:
            own = self.model.infer(reading.window)
        except Exception:  # noqa: BLE001 - a runtime may raise anything, and nobody waits for this answer
            return Comparison(self.model.ref, None, 0)
        return Comparison(self.model.ref, own.label == answer.label, own.latency_ns)
