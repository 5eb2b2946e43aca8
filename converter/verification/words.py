"""Claims of the files that people read: they say what the manifest says, and nothing else."""

from __future__ import annotations

import msgspec

from converter import card, memory_map
from converter.pruning import deflate_bytes
from converter.recipe import Recipe
from converter.report import FILE, Report, accuracies, accuracy_drop, encode
from converter.verification.case import Case
from converter.verification.claim import Claim, compared, false, not_checked, verified
from converter.verification.shipped import NO_REPORT
from converter.versions import differences
from wire.manifest import CARD_FILE


def report(case: Case) -> Claim:
    """``report.json`` says what the manifest says; what only it says are claims of their own."""
    found = case.report
    if found is None:
        return not_checked("report", NO_REPORT)
    if encode(found) != case.bundle.files[FILE]:
        raise false("report", f"{FILE} is not in the form that convert writes, or says more than is known")
    _same_as_manifest(case, found)
    _follows(case, found)
    return verified("report", "agrees with the manifest and with the file")


def _same_as_manifest(case: Case, found: Report) -> None:
    manifest = case.manifest
    for name in ("model", "version", "ops", "input", "output", "preprocessing", "evaluation", "targets"):
        compared("report", getattr(found, name), getattr(manifest, name), name)
    compared("report", found.payload_bytes, manifest.payload_bytes, "payload_bytes")
    recipe = None if found.recipe.plain else msgspec.to_builtins(found.recipe)
    for name, said in (
        ("gate", msgspec.to_builtins(found.gate)),
        ("settings", msgspec.to_builtins(found.settings)),
        ("recipe", recipe),
        ("golden", found.golden),
        ("activations", None if found.activations == "int8" else found.activations),
        ("refused", msgspec.to_builtins(found.refused) or None),
    ):
        compared("report", said, case.lineage.get(name), f"{name} of the lineage")
    if found.settings is not None and found.settings.targets:
        compared("report", found.settings.targets, sorted(manifest.targets), "targets of the settings")
    if found.recipe.plain:
        compared("report", found.recipe, msgspec.structs.replace(Recipe(), seed=found.recipe.seed), "recipe")


def _follows(case: Case, found: Report) -> None:
    """What can be derived from other figures or from the file."""
    compared("report", found.bytes, len(case.model), "bytes of the model")
    compared("report", found.accuracy, accuracies(found.evaluation), "accuracy")
    compared("report", found.drop, accuracy_drop(found.evaluation), "drop")
    if not found.variants:
        raise false("report", "the shipped file is not among the variants")
    shipped = found.variants[0]
    compared("report", (shipped.name, shipped.bytes), ("shipped", len(case.model)), "the first variant")
    compared("report", shipped.deflate_bytes, deflate_bytes(case.model), "deflate_bytes of the model")
    compared("report", shipped.families, {} if found.gate is None else found.gate.families, "the comparison")


def model_card(case: Case) -> Claim:
    """Written again from the report and the manifest."""
    if case.report is None or CARD_FILE not in case.bundle.files:
        return not_checked("card", NO_REPORT)
    has_map = memory_map.FILE in case.bundle.files
    same = card.render(case.manifest, case.report, has_map=has_map).encode() == case.bundle.files[CARD_FILE]
    other = differences(case.lineage, ["tinyfleet"])
    return compared("card", same, True, "written again from report.json and manifest, same bytes", other)
