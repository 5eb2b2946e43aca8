"""Where the model is from, what was done to it, and how to check all that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from converter.card.markdown import listed, table
from converter.report import Report
from wire.states import NumericsFamily

_UNKNOWN: Final = "not known: the model was given as a file, and its author's words were not with it."
_REPAIRS: Final = {
    "external_buffers": "weights that lay outside the flatbuffer, where TFLM reads none, were put inside",
    "reshape_without_shape": "a RESHAPE without a new shape got its output's",
}
_FAMILIES: Final = {
    NumericsFamily.TFLM: "TensorFlow Lite Micro, the interpreter of microcontrollers",
    NumericsFamily.XNNPACK: "LiteRT with XNNPACK, the interpreter of Linux devices",
}


def purpose(report: Report) -> str:
    """The author's words."""
    about = report.about
    lines = [f"Intended use: {about.intended_use or _UNKNOWN}"]
    lines.append(f"Must not be used for: {about.limits or 'anything it was not checked for by you.'}")
    if about.title:
        lines.insert(0, f"Tells {about.title}.")
    return "\n\n".join(lines)


def data(lineage: Mapping[str, Any]) -> str:
    """Data set, split, and the samples that were used here."""
    run = _mapping(lineage, "run")
    known = _mapping(run, "data")
    told = {key: value for key, value in known.items() if key != "origins" and value is not None}
    lines = [f"data {key}: {_part(value)}" for key, value in told.items()]
    lines += [f"from: {_part(origin)}" for origin in known.get("origins", ())]
    lines += [
        f"{part}: {_part(_without_digest(content))}" for part, content in _mapping(run, "split").items()
    ]
    for what in ("calibration", "training", "evaluation"):
        given = _mapping(lineage, what)
        if given:
            used = f", {given['used']} of them used" if "used" in given else ""
            drawn = f"; drawn from the evaluation samples: {given['drawn']}" if "drawn" in given else ""
            sha256 = str(given.get("sha256"))[:12]
            lines.append(f"{what}: {given.get('n')} samples{used}, file {sha256}{drawn}")
    return listed(lines) or "Not known: the model was given as a file, without samples."


def _without_digest(part: Any) -> Any:
    """Of all groups: the card lists the first of them, and ``run.json`` has it."""
    return {key: part[key] for key in part if key != "sha256"} if isinstance(part, dict) else part


def _part(content: Any) -> str:
    if not isinstance(content, dict):
        return str(content)
    return ", ".join(f"{key} {_plain(value)}" for key, value in content.items())


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def repairs(lineage: Mapping[str, Any]) -> str:
    """What was mended in a ``.tflite`` before anything else."""
    done = lineage.get("repaired")
    if not isinstance(done, list) or not done:
        return "Nothing was repaired: the file is as the converter or its author made it."
    return listed([f"`{code}`: {_REPAIRS.get(str(code), 'see the converter')}" for code in done])


def families(report: Report) -> str:
    """What is bit-exact with what."""
    used = sorted({needs.numerics for needs in report.targets.values()})
    rows = [
        [
            str(family),
            _FAMILIES[family],
            ", ".join(name for name, needs in report.targets.items() if needs.numerics is family),
        ]
        for family in used
    ]
    return (
        "The same int8 file may give slightly different outputs in two families; within one, outputs are "
        "equal to the bit, which golden vectors check on every device "
        f"(inputs: {report.golden}).\n\n" + table(["family", "is", "targets"], rows)
    )


def lineage(facts: Mapping[str, Any]) -> str:
    """Every fact of the manifest's lineage but those that have their own place in the card."""
    run = {key: value for key, value in _mapping(facts, "run").items() if key not in ("data", "split")}
    shown = {key: run if key == "run" else value for key, value in facts.items() if key != "gate"}
    return listed(_flat(shown))


def _flat(facts: Mapping[str, Any], prefix: str = "") -> list[str]:
    lines: list[str] = []
    for key, value in facts.items():
        if isinstance(value, dict):
            lines += _flat(value, f"{prefix}{key}.")
        else:
            lines.append(f"{prefix}{key}: {_plain(value)}")
    return lines


def check(lineage: Mapping[str, Any]) -> str:
    """The commands."""
    kind = _mapping(lineage, "source").get("kind")
    source = {"run": "RUN_FOLDER", "keras": "MODEL.keras", "saved_model": "SAVED_MODEL"}.get(
        str(kind), "MODEL.tflite"
    )
    options = ["--calibration CALIBRATION.npz"] if kind != "run" and "calibration" in lineage else []
    options += ["--eval EVAL.npz"] if kind != "run" and "evaluation" in lineage else []
    options += ["--qat TRAIN.npz"] if "training" in lineage else []
    again = " ".join([f"--source {source}", *options])
    scored = (
        "tinyfleet bundle verify BUNDLE --trust image-root.json --eval EVAL.npz\n"
        if "evaluation" in lineage
        else ""
    )
    return (
        "Every figure is in `report.json` too, and can be computed again:\n\n```\n"
        "tinyfleet bundle verify BUNDLE --trust image-root.json\n"
        f"{scored}"
        f"tinyfleet bundle verify BUNDLE --trust image-root.json {again}\n```\n\n"
        "The last one converts the source again and compares every byte. It needs the versions named under "
        "`converter` above."
    )


def _mapping(facts: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = facts.get(key)
    return found if isinstance(found, dict) else {}
