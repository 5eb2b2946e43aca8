"""Field samples: what the server may ask a device for, and what the device then sends. Signed and bounded."""

from __future__ import annotations

import base64
import binascii
import math
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from wire.errors import TrustError, WireError
from wire.messages import BootId, Digest, Message, Name
from wire.sketch import Count
from wire.states import Reason
from wire.trust import sign_note, verify_note

if TYPE_CHECKING:
    from securesystemslib.signer import Signer
    from tuf.api.metadata import Root

#: Most samples of one request.
MAX_SAMPLES: Final = 256
#: Largest window that is sent, values; as base64 of float32 it takes 5.3 bytes each.
MAX_VALUES: Final = 16_384
_FILE: Final = "samples.json"
_MAX_SHAPE: Final = 4


class SampleRequest(Message, frozen=True, kw_only=True):
    """What the director asks of one device: so many windows of those that it keeps."""

    device: Name
    request: Annotated[int, msgspec.Meta(ge=1, le=2**31)]
    """Rises: a device does not answer one that is not newer than what it answered."""
    count: Annotated[int, msgspec.Meta(ge=1, le=MAX_SAMPLES)]


class Sample(Message, frozen=True, kw_only=True):
    """Topic ``d/{device}/samples``: one raw window, as the sensor gave it."""

    device: Name
    boot: BootId
    request: Annotated[int, msgspec.Meta(ge=1, le=2**31)]
    index: Annotated[int, msgspec.Meta(ge=0, lt=MAX_SAMPLES)]
    """Within the request, from 0: (device, request, index) is stored once."""
    of: Annotated[int, msgspec.Meta(ge=1, le=MAX_SAMPLES)]
    """How many samples answer the request: fewer than asked for, when the device has no more."""
    digest: Digest
    """Of the bundle that answered."""
    answer: Count
    confidence: Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)]
    label: Count | None = None
    """The truth, where the device knows it."""
    age_s: Annotated[float, msgspec.Meta(ge=0, le=1e9)]
    """Since the sensor gave it; a device may have no clock to say when."""
    shape: Annotated[
        tuple[Annotated[int, msgspec.Meta(ge=1, le=MAX_VALUES)], ...],
        msgspec.Meta(min_length=1, max_length=_MAX_SHAPE),
    ]
    values: Annotated[str, msgspec.Meta(max_length=6 * MAX_VALUES)]
    """base64 of the window's float32, little-endian, in row-major order."""

    def __post_init__(self) -> None:
        """Decoding turns the ValueError into a WireError."""
        if self.index >= self.of:
            raise ValueError("index is not among the samples")
        if math.prod(self.shape) > MAX_VALUES:
            raise ValueError("the window has too many values")

    @property
    def window(self) -> NDArray[np.float32]:
        """The window; WireError when the bytes are not those of its shape, or not finite."""
        try:
            data = base64.b64decode(self.values, validate=True)
        except (binascii.Error, ValueError) as error:
            raise WireError(
                "malformed", "a sample's values are not base64", "see docs/protocol.md"
            ) from error
        if len(data) != 4 * math.prod(self.shape):
            raise WireError("malformed", "a sample's values are not of its shape", "see docs/protocol.md")
        found = np.frombuffer(data, "<f4").reshape(self.shape).astype(np.float32)
        if not np.isfinite(found).all():
            raise WireError("malformed", "a sample has values that are not finite", "check the sensor")
        return found


def encode_values(window: NDArray[np.float32]) -> str:
    """``Sample.values`` of a window."""
    return base64.b64encode(np.ascontiguousarray(window, "<f4").tobytes()).decode()


def sign_request(request: SampleRequest, key: Signer, expires: datetime) -> bytes:
    """Payload of topic ``d/{device}/ask``."""
    return sign_note(f"{request.device}/{_FILE}", request.request, msgspec.json.encode(request), key, expires)


def verify_request(root: Root, payload: bytes, device: str, now: datetime) -> SampleRequest:
    """The request in ``payload``, when the director signed it for this device and it has not expired.

    Raises TrustError or WireError.
    """
    note = verify_note(root, payload, f"{device}/{_FILE}", now)
    try:
        request = msgspec.json.decode(note.text, type=SampleRequest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(
            "malformed", f"not a request for samples: {str(error)[:200]}", "see docs/protocol.md"
        ) from error
    if request.device != device or request.request != note.version:
        raise TrustError(Reason.UNTRUSTED, "the request is for another device", "check the device id")
    return request
