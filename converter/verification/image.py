"""Claims about the form of the model that microcontrollers execute."""

from __future__ import annotations

from converter.image.attempt import Compiled, compiled
from converter.verification.case import Case
from converter.verification.claim import Claim, compared, false, verified
from wire.manifest import IMAGE_FILE
from wire.states import NumericsFamily


def image(case: Case) -> Claim:
    """Compiled again: the same bytes, or the same reason why there are none."""
    if NumericsFamily.TFLM not in case.manifest.golden.outputs:
        return verified("image", "none, as it is for no microcontroller")
    found = compiled(case.model)
    if case.bundle.files.get(IMAGE_FILE) != found.data:
        raise false("image", f"{IMAGE_FILE} is not what {_words(found)}")
    if case.manifest.image_ops:  # bundles of release 1 do not name them
        compared("image", case.manifest.image_ops, found.report.op_names, "image_ops")
    if case.report is not None:
        return compared("image", case.report.image, found.report, _words(found))
    return verified("image", _words(found))


def _words(found: Compiled) -> str:
    if found.data is None:
        return f"no image is compiled: {found.report.refused}"
    return f"the model compiles to, {len(found.data)} bytes"
