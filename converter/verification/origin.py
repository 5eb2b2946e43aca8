"""The claim about where it all comes from: the same source, converted again, gives the same bundle."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from converter import catalogue
from converter.bundle import Bundle, read_bundle
from converter.conversion import convert
from converter.report import Report
from converter.verification.case import Case, Origin
from converter.verification.claim import Claim, false, not_checked, verified
from converter.versions import differences
from wire.errors import RefusedError
from wire.manifest import Manifest
from wire.trust import load_key, new_key

_WITHOUT: Final = (
    "lineage, float answers, noise by layer and calibration are the signer's word; give --source "
    "(with --calibration, --eval and --qat as for convert)"
)
_DAY: Final = timedelta(days=1)


def source(case: Case) -> Claim:
    """Bit for bit."""
    if case.origin is None:
        return not_checked("source", _WITHOUT)
    if case.report is None or case.report.settings is None:
        return not_checked("source", "the bundle does not say with which settings it was made; convert again")
    other = differences(case.lineage)
    if case.lineage.get("catalogue") != catalogue.digest():
        other.append("made with another board catalogue")
    if other:
        return not_checked("source", f"{'; '.join(other)}: install what the bundle was made with")
    again = _convert(case.manifest, case.report, case.origin)
    if again.digest != case.bundle.digest:
        raise false("source", f"converted again it is another bundle: {_difference(case.bundle, again)}")
    return verified("source", f"{case.origin.source.name} converted again, reproduced bit for bit")


def _convert(manifest: Manifest, report: Report, origin: Origin) -> Bundle:
    settings = report.settings
    if settings is None:
        raise ValueError("looked at before")
    with tempfile.TemporaryDirectory(prefix="tinyfleet-") as name:
        out = Path(name) / "bundle"
        try:
            convert(
                origin.source,
                out,
                # The digest is of the manifest: a key of the moment signs what is thrown away.
                signer=load_key(new_key()),
                expires=datetime.now(UTC).replace(microsecond=0) + _DAY,
                name=manifest.model,
                version=manifest.version,
                target_names=settings.targets,
                calibration=origin.calibration,
                evaluation=origin.evaluation,
                metric=settings.metric,
                rule=settings.rule,
                max_drop=settings.max_drop,
                recipe=report.recipe,
                training=origin.training,
                plan=settings.plan,
                activations=settings.activations,
            )
        except RefusedError as error:
            raise false("source", f"it is not converted at all: {error.message}") from error
        return read_bundle(out)


def _difference(one: Bundle, other: Bundle) -> str:
    """The first thing that is not the same: a file, or a field of the manifest."""
    for fact in sorted(set(one.manifest.lineage) | set(other.manifest.lineage)):
        if one.manifest.lineage.get(fact) != other.manifest.lineage.get(fact):
            return f"lineage.{fact}"
    for path in sorted(set(one.files) | set(other.files)):
        if one.files.get(path) != other.files.get(path):
            return path
    fields = (
        name
        for name in Manifest.__struct_fields__
        if getattr(one.manifest, name) != getattr(other.manifest, name)
    )
    return next(fields, "the manifest's form")
