"""The JSON messages of the wire. Unknown fields are ignored, so that either side may be newer."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeVar

import msgspec

from wire.errors import WireError
from wire.limits import MAX_CLASSES, MAX_NAMED_DEVICES, MAX_PAYLOAD_BYTES
from wire.sketch import CONFIDENCE_BINS, ChannelSketch, Count, Histogram, TensorSketch
from wire.states import (
    AlertEvent,
    AlertKind,
    AlertState,
    NumericsFamily,
    Presence,
    Reason,
    Severity,
    UpdateState,
)

# \Z and not $, which would let a newline through at the end.
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")]
Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
BootId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{8}\Z")]
"""``{boot counter}-{random}``: sorts by age of the boot, and tells a cloned device from its twin."""
AttemptId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}\Z")]
SlotName = Literal["a", "b"]
Version = Annotated[int, msgspec.Meta(ge=1, le=2**31)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e10)]
LatencyClock = Literal["device", "emulated", "host"]
"""device: measured on it; emulated: estimated cycles of an emulated core at the board's clock; host: of the
machine that simulates the device, which says nothing of the board."""
Detail = Annotated[str, msgspec.Meta(max_length=240)]
Line = Annotated[str, msgspec.Meta(max_length=128)]
Paragraph = Annotated[str, msgspec.Meta(max_length=1000)]
OpName = Annotated[str, msgspec.Meta(max_length=64)]
PreprocessingKind = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,32}\Z")]
"""Of wire.preprocess, or of a newer release."""


class Message(msgspec.Struct, frozen=True):
    """Base of all messages."""


class ModelRef(Message, frozen=True, kw_only=True):
    """One version of one model, by name and by content."""

    model: Name
    version: Version
    digest: Digest


class Hardware(Message, frozen=True, kw_only=True):
    """What the device is, as far as an update must fit it."""

    target: Name
    board: Name
    numerics: NumericsFamily
    runtime: Annotated[str, msgspec.Meta(max_length=64)]
    ram_bytes: Count
    """RAM that a model may use: for the tflm family, the arena."""
    flash_bytes: Count
    """Storage of one model slot."""
    format: Literal["tflite", "image"] = "tflite"
    """The form of model that the runtime executes; see wire.image."""
    ops: Annotated[tuple[OpName, ...], msgspec.Meta(max_length=256)] | None = None
    """Operators that the runtime executes, sorted; None: all."""
    preprocessing: Annotated[tuple[PreprocessingKind, ...], msgspec.Meta(max_length=16)] = (
        "none",
        "standardise-v1",
    )
    """What the device can do to a window before the input tensor."""


class ServerState(Message, frozen=True, kw_only=True):
    """Topic ``server/state``: devices keep their reports while the server is offline."""

    state: Presence
    session: Count


class Status(Message, frozen=True, kw_only=True):
    """Topic ``d/{device}/status``: presence; the last will of ``session`` says offline."""

    device: Name
    state: Presence
    session: Count
    boot: BootId


class Reported(Message, frozen=True, kw_only=True):
    """Topic ``d/{device}/reported``: what the device runs and how far its update is."""

    device: Name
    boot: BootId
    seq: Count
    """Counts this boot's reports of every kind; (device, boot, seq) is stored once."""
    sequence: Count
    """Highest assignment sequence accepted so far."""
    attempt: AttemptId | None
    state: UpdateState | None
    """State of ``attempt``; None when there never was one."""
    reason: Reason = Reason.NONE
    detail: Detail = ""
    """Of the reason; without one, what is to be known of a good attempt, such as why it had no shadow."""
    running: ModelRef | None
    """The confirmed model, or None before the first."""
    slots: dict[SlotName, ModelRef | None]
    downloaded_bytes: Count
    """Bytes fetched for ``attempt``, by all boots together."""
    hardware: Hardware


class Shadow(Message, frozen=True, kw_only=True):
    """A new model beside the one that answers: what it would have said."""

    model: ModelRef
    n: Count
    """Inputs that both were given, and the answering model answered."""
    disagreed: Count
    """Of those, the new model gave another label."""
    errors: Count
    """Of those, the new model gave no answer."""
    latency_sum_us: Count
    """Of its answers."""

    def __post_init__(self) -> None:
        """Decoding turns the ValueError into a WireError."""
        if self.disagreed + self.errors > self.n:
            raise ValueError("more disagreements and errors than inputs")


class Telemetry(Message, frozen=True, kw_only=True):
    """Topic ``d/{device}/telemetry``: one window of inferences of one model."""

    device: Name
    boot: BootId
    seq: Count
    attempt: AttemptId | None
    model: ModelRef
    numerics: NumericsFamily
    at_unix_s: Seconds | None
    """When the window ended by the device's clock; None when it has none."""
    duration_s: Seconds
    historical: bool = False
    """Kept back while the server or the link was away."""
    n: Count
    errors: Count = 0
    first: Count | None = None
    """Index in a replayed stream of the first of the ``n`` inputs; None for a live sensor."""
    stride: Annotated[int, msgspec.Meta(ge=1, le=2**31)] = 1
    """Step from one replayed input to the next: the window is positions first, first + stride, ..."""
    latency_clock: LatencyClock
    """Whose time it is."""
    latency: Histogram
    """Microseconds, as in :mod:`wire.sketch`."""
    latency_sum_us: Count
    labelled: Count = 0
    correct: Count = 0
    classes: Annotated[list[Count], msgspec.Meta(max_length=MAX_CLASSES)]
    confidence: Annotated[list[Count], msgspec.Meta(min_length=CONFIDENCE_BINS, max_length=CONFIDENCE_BINS)]
    inputs: ChannelSketch = ChannelSketch()
    rss_bytes: Count | None = None
    """Resident memory of the agent's process; None where that is not the device's."""
    arena_bytes: Count | None = None
    dropped: Count = 0
    """Windows that this device had to give up since its boot because its outbox was full."""
    shadow: Shadow | None = None
    """Of the model on trial, where it saw some of these inputs too."""
    tensor: TensorSketch | None = None
    """Of the int8 input tensors of the answers."""
    energy_uj: Count | None = None
    """Of the ``n - errors`` answers; None where it is not known. See ``power_source`` of the boards."""

    def __post_init__(self) -> None:
        """Decoding turns the ValueError into a WireError."""
        if not self.correct <= self.labelled <= self.n:
            raise ValueError("correct, labelled and n do not rise")


class AlertNotice(Message, frozen=True, kw_only=True):
    """Topic ``alerts/{kind}``, and the body of a webhook: an alert as it has become."""

    id: Name
    """The same each time that this notice is sent; another for each notice of any server."""
    server: Name
    alert: Count
    """Its number on the server."""
    event: AlertEvent
    at_unix_s: Seconds
    by: Line = ""
    """Who acknowledged or resolved it: the name of a token, or ``the server``."""
    note: Paragraph = ""
    """What they said."""
    kind: AlertKind
    key: Annotated[str, msgspec.Meta(max_length=200)]
    """One alert of a kind and a key is open or acknowledged at a time."""
    state: AlertState
    severity: Severity
    """The worst that it was since it opened."""
    subject: Line
    """``fleet``, ``rollout N``, ``model NAME`` or ``device ID``."""
    message: Paragraph
    opened_at_unix_s: Seconds
    since_unix_s: Seconds
    """Since when it is so, as far as is known; it may have been noticed later."""
    count: Count
    """How often it was seen."""
    reopened: Count = 0
    """How often it came back soon after it was resolved."""
    devices: Annotated[tuple[Name, ...], msgspec.Meta(max_length=MAX_NAMED_DEVICES)] = ()
    device_count: Count = 0
    """All of them, also those that are not named."""
    changed: Paragraph = ""
    advice: Paragraph = ""
    """What to do."""
    url: Annotated[str, msgspec.Meta(max_length=500)] = ""
    """Its page in the dashboard, where the server was told its address."""


T = TypeVar("T", bound=Message)
_ENCODER: Final = msgspec.json.Encoder()


def encode(message: Message) -> bytes:
    """Bytes of a message: fields in the order of its definition, no spaces, UTF-8."""
    return _ENCODER.encode(message)


def decode(kind: type[T], payload: bytes) -> T:
    """Parse and validate one message; WireError says what is wrong with it."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise WireError(
            "oversize",
            f"{kind.__name__} of {len(payload)} bytes is over the limit of {MAX_PAYLOAD_BYTES}",
            "send smaller windows",
        )
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(
            "malformed", f"not a {kind.__name__}: {str(error)[:200]}", "see docs/protocol.md"
        ) from error
