"""The progress track of a rollout: its stages side by side, each filled by its devices' states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from nicegui import ui

from fleet_server.dashboard import format as fmt
from fleet_server.dashboard.parts import Chip, Keyed, box, text
from fleet_server.store import Row

_TONES = ("ok", "busy", "bad", "idle")


class _Stage(NamedTuple):
    name: ui.label
    share: ui.label
    state: Chip
    progress: ui.label
    fills: list[ui.element]


class Track:
    """One segment a stage."""

    def __init__(self) -> None:
        self._stages: Keyed[int, _Stage] = Keyed(box("stages"), _make)

    def show(self, rollout: Row, counts: Sequence[Row], now: float) -> None:
        """Change states, words and lengths."""
        stages = rollout["stages"]
        parts = self._stages.sync(range(len(stages)))
        for index, (stage, part) in enumerate(zip(stages, parts, strict=True)):
            states = _states(counts, index, released=stage["kind"] == "release")
            part.name.text = f"Stage {index + 1}"
            part.share.text = _whom(stage)
            part.state.show(stage["state"])
            part.progress.text = _progress(rollout, stage, states, now)
            _fill(part.fills, states, stage["devices"] - stage["control"])


def _states(counts: Sequence[Row], index: int, *, released: bool) -> dict[str, int]:
    """Exposed devices of a stage by state; those of the control arm are exposed with the release."""
    states: Counter[str] = Counter()
    for row in counts:
        control = row["arm"] == "control"
        if row["state"] and ((row["stage"] == index and not control) or (released and control)):
            states[row["state"]] += row["devices"]
    return states


def _whom(stage: Row) -> str:
    if stage["kind"] == "release":
        return "the control devices too"
    whom = {
        "share": f"up to {fmt.percent(stage['share'], 0)} of devices",
        "where": "devices of a filter",
        "devices": "devices by name",
    }[stage["kind"]]
    return f"{whom}, {stage['control']} held back to compare" if stage["control"] else whom


def _progress(rollout: Row, stage: Row, states: dict[str, int], now: float) -> str:
    sums = _by_tone(states)
    if not states:
        return f"{fmt.many(stage['devices'], 'device')}, none told yet"
    said = f"{sums['ok']} of {stage['devices'] - stage['control']} confirmed"
    if sums["bad"]:
        said += f", {sums['bad']} failed"
    if stage["state"] == "soaking":
        soak_s = rollout["policy"]["soak_s"]
        left = max(0.0, stage["soaking_at"] + soak_s - now)
        said += f", {fmt.span(left)} of {fmt.span(soak_s)} soak left" if left else ", waiting for reports"
    return said


def _fill(fills: list[ui.element], states: dict[str, int], devices: int) -> None:
    sums = _by_tone(states)
    for tone, fill in zip(_TONES, fills, strict=True):
        fill.style(f"width: {100 * sums[tone] / max(1, devices):.2f}%")


def _by_tone(states: dict[str, int]) -> dict[str, int]:
    return {tone: sum(n for state, n in states.items() if fmt.tone(state) == tone) for tone in _TONES}


def _make() -> tuple[ui.element, _Stage]:
    with box("stage") as element:
        with box("track"):
            fills = [box(f"tone-{tone}") for tone in _TONES]
        with box("line"):
            name, state = text(classes="name"), Chip()
        progress, share = text(), text(classes="note")
    return element, _Stage(name, share, state, progress, fills)
