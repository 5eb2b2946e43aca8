"""The gates of one rollout: what each says, with the figures that it says it by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from nicegui import ui

from fleet_server.dashboard.parts import Chip, Keyed, box, card, text
from fleet_server.gates.judgement import Judgement

_SAID: Final = {
    "fail": ("harm shown", "bad"),
    "pass": ("shown to hold", "ok"),
    "not_yet": ("no harm shown", "idle"),
}


class GateList:
    """One line a gate that has data; the others by name."""

    def __init__(self) -> None:
        with card("Gates"):
            self._empty = text("Nothing has been reported yet that a gate could judge by", "empty")
            lines = box("gates")
            self._silent = text(classes="note").style("margin-top: 12px")
        self._lines: Keyed[str, tuple[ui.label, Chip, ui.label]] = Keyed(lines, self._make)

    def show(self, judgements: Sequence[Judgement], silent: Sequence[str]) -> None:
        """Bring outcomes and figures up to date; ``silent`` gates have nothing to go by."""
        self._empty.visible = not judgements
        parts = self._lines.sync([judgement.gate for judgement in judgements])
        for judgement, (name, chip, reason) in zip(judgements, parts, strict=True):
            words, tone = _SAID[judgement.outcome]
            name.text = judgement.gate
            chip.show(judgement.outcome, words, tone)
            reason.text = judgement.reason
        self._silent.text = f"Without data: {', '.join(silent)}." if silent and judgements else ""

    @staticmethod
    def _make() -> tuple[ui.element, tuple[ui.label, Chip, ui.label]]:
        with box("gate") as line:
            parts = text(classes="name"), Chip(), text(classes="reason")
        return line, parts
