"""Claims about where the model fits."""

from __future__ import annotations

from converter import catalogue, npu, targets
from converter.fit import Fit, fits
from converter.verification.case import Case
from converter.verification.claim import Claim, compared, false, not_checked, verified
from converter.verification.shipped import NO_REPORT
from converter.versions import differences
from wire.errors import NotFoundError
from wire.image import read_header
from wire.manifest import IMAGE_FILE


def on_targets(case: Case) -> Claim:
    """RAM and flash of every target; their arena is the report's, which is a claim of its own."""
    said = case.manifest.targets
    try:
        wanted = targets.families(list(said))
    except NotFoundError as error:
        return not_checked("targets", f"{error.message}: this catalogue is another one")
    ram = targets.ram_bytes(case.graph, len(case.model), _arena_bytes(case), _image_arena_bytes(case))
    found = targets.needs(wanted, ram, {entry.path: entry.bytes for entry in case.manifest.files})
    for name in wanted:
        if said[name] != found[name]:
            other = differences(case.lineage, ["tflite-micro"]) if case.report is None else []
            return compared("targets", said[name], found[name], f"needs on {name}", other)
    return verified("targets", f"RAM and flash on {len(wanted)} targets, computed")


def _arena_bytes(case: Case) -> int | None:
    arena = case.arena if case.report is None else case.report.arena
    return None if arena is None else arena.confirmed_min


def _image_arena_bytes(case: Case) -> int | None:
    image = case.bundle.files.get(IMAGE_FILE)
    return None if image is None else read_header(image).arena_bytes


def on_boards(case: Case) -> list[Claim]:
    """Boards; those with an accelerator are a claim of their own, as vela may be missing here."""
    if case.report is None:
        return [not_checked("fits", NO_REPORT)]
    if case.lineage.get("catalogue") != catalogue.digest():
        return [not_checked("fits", "made with another board catalogue than is installed here")]
    said, found = case.report.fits, _again(case)
    if sorted(said) != sorted(found):
        raise false("fits", f"the boards are {', '.join(sorted(found))}, not {', '.join(sorted(said))}")
    with_npu = sorted(name for name, fit in found.items() if _accelerated(fit) or _accelerated(said[name]))
    plain = sorted(set(found) - set(with_npu))
    for name in plain:
        compared("fits", said[name], found[name], f"fit on {name}")
    claims = [verified("fits", f"{len(plain)} boards, judged again")]
    return claims + [_on_npu(case, said[name], found[name], name) for name in with_npu]


def _again(case: Case) -> dict[str, Fit]:
    arena = None if case.report is None else case.report.arena
    wanted = case.manifest.targets
    return fits(
        case.graph,
        len(case.model),
        None if arena is None else arena.confirmed_min,
        slot_bytes=targets.slots(wanted),
        tail_bytes=0 if arena is None else arena.tail,
        npu=npu.costs(case.model, wanted),
        wanted=wanted,
    )


def _accelerated(fit: Fit) -> bool:
    return fit.npu is not None


def _on_npu(case: Case, said: Fit, found: Fit, name: str) -> Claim:
    other = differences(case.lineage, ["ethos-u-vela"])
    if other and not _accelerated(found):
        return not_checked("npu", f"{name}: {other[0]}; pip install 'tinyfleet[npu]'")
    return compared("npu", said, found, f"fit on {name} by vela", other)
