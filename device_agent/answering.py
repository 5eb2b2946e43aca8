"""Which model answers: the confirmed one, or on trial the new one, with the old behind it.

A trial may begin in the shadow: until that is over, the new model is on trial without answering anyone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from device_agent.loaded_model import NOT_FINITE, Answer, LoadedModel
from device_agent.sensor import Reading
from device_agent.shadow import Comparison, Shadow
from device_agent.window import Window
from wire.errors import FleetError
from wire.messages import AttemptId
from wire.trust import Policy


class _Trial(NamedTuple):
    attempt: AttemptId
    model: LoadedModel
    left: int


class Answering:
    """Answers readings and sums the answers up in windows."""

    def __init__(
        self,
        passed: Callable[[AttemptId], None],
        failed: Callable[[AttemptId, FleetError], None],
        closed: Callable[[Window], None],
    ) -> None:
        """``passed`` and ``failed`` end a trial; ``closed`` gets every complete window."""
        self.report_every_s = 60.0
        self.errors = 0
        """Failed inferences since the boot."""
        self.answered: Callable[[Reading, str, Answer], None] = lambda _reading, _digest, _answer: None
        """Gets every answer, with the bundle that gave it."""
        self.attempt_of: Callable[[LoadedModel], AttemptId | None] = lambda _model: None
        self._passed = passed
        self._failed = failed
        self._closed = closed
        self._confirmed: LoadedModel | None = None
        self._trial: _Trial | None = None
        self._shadow: Shadow | None = None
        self._window: Window | None = None

    @property
    def answers(self) -> bool:
        """Whether any model does."""
        return self._confirmed is not None or self._trial is not None

    @property
    def confirmed(self) -> LoadedModel | None:
        """The confirmed model, if it could be loaded."""
        return self._confirmed

    def holds(self, digest: str) -> LoadedModel | None:
        """The loaded model of this bundle, if it is one of the two."""
        models = (self._confirmed, self._trial and self._trial.model)
        return next((model for model in models if model and model.ref.digest == digest), None)

    def activate(self, model: LoadedModel | None) -> None:
        """Answer with the confirmed model from now on; any trial is over."""
        self._confirmed = model
        self._trial = self._shadow = None

    def shadow(self, attempt: AttemptId, model: LoadedModel, policy: Policy) -> None:
        """Let a new model see inputs beside the confirmed one, and try it out when they agree well enough."""
        self._shadow = Shadow(attempt, model, policy)

    def try_out(self, attempt: AttemptId, model: LoadedModel, inferences: int) -> None:
        """Answer with a new model; it has passed after so many inferences without an error."""
        self._trial = _Trial(attempt, model, inferences)
        self._check_passed()

    def answer(self, reading: Reading) -> None:
        """One inference. When the model on trial fails, the confirmed one answers at once."""
        if self._trial is not None and self._try(self._trial, reading):
            return
        if self._confirmed is None:
            return
        try:
            answer = self._confirmed.infer(reading.window)
        except FleetError:
            self.errors += 1
            answer = None
        compared = None
        if answer is not None and self._shadow is not None:
            compared = self._shadow.compare(reading, answer)
        self._count(self._confirmed, reading, answer, compared)
        self._check_shadow()

    def close_window(self) -> None:
        """Report what there is, because the time is up or the model changes."""
        window, self._window = self._window, None
        if window is not None and window.n:
            self._closed(window)

    def _try(self, trial: _Trial, reading: Reading) -> bool:
        try:
            answer = trial.model.infer(reading.window)
        except FleetError as error:
            self.errors += 1
            self._count(trial.model, reading, None)
            if error.code == NOT_FINITE:  # the sensor's fault, not the model's
                return True
            self._trial = None
            self._failed(trial.attempt, error)
            return False
        self._count(trial.model, reading, answer)
        self._trial = trial._replace(left=trial.left - 1)
        self._check_passed()
        return True

    def _check_passed(self) -> None:
        if self._trial is not None and self._trial.left == 0:
            self._passed(self._trial.attempt)

    def _check_shadow(self) -> None:
        shadow = self._shadow
        if shadow is None or not shadow.done:
            return
        self._shadow = None
        refusal = shadow.refusal()
        if refusal is None:
            self.try_out(shadow.attempt, shadow.model, shadow.policy.trial_inferences)
        else:
            self._failed(shadow.attempt, refusal)

    def _count(
        self,
        model: LoadedModel,
        reading: Reading,
        answer: Answer | None,
        compared: Comparison | None = None,
    ) -> None:
        if self._window is None or not self._window.continues(model, reading, compared):
            self.close_window()
            self._window = Window(model, self.attempt_of(model), reading)
        self._window.add(reading, answer, compared)
        if answer is not None:
            self.answered(reading, model.ref.digest, answer)
        if self._window.duration_s >= self.report_every_s:
            self.close_window()
