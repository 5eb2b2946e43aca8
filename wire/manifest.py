"""The bundle manifest: what is shipped for one version of a model, and where it may run.

A bundle's identity is the SHA-256 of its manifest's bytes. The manifest names every file by
length and SHA-256. The files that devices need travel as one *payload*: their bytes one after the
other in manifest order, cut into chunks of ``chunk_bytes``; see wire.part.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final, Literal

import msgspec

from wire.errors import WireError
from wire.limits import MAX_BUNDLE_BYTES, MAX_CHANNELS, MAX_CLASSES, MAX_MANIFEST_BYTES
from wire.messages import Digest, Message, ModelRef, Name, OpName, PreprocessingKind, Version
from wire.sketch import Count
from wire.states import NumericsFamily

MODEL_FILE: Final = "model.tflite"
IMAGE_FILE: Final = "model.img"
MANIFEST_FILE: Final = "manifest.json"
SIGNATURE_FILE: Final = "signature.json"
CARD_FILE: Final = "model_card.md"

Path = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_]+(/[a-z0-9_]+)?\.[a-z0-9]{1,8}\Z", max_length=80)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
RuntimeName = Annotated[str, msgspec.Meta(max_length=64)]
DottedVersion = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9}){0,7}\Z")]
Channels = Annotated[tuple[float, ...], msgspec.Meta(max_length=MAX_CHANNELS)]


class FileEntry(Message, frozen=True, kw_only=True):
    """One file of the bundle."""

    path: Path
    bytes: Annotated[int, msgspec.Meta(ge=0, le=MAX_BUNDLE_BYTES)]
    sha256: Digest
    device: bool = False
    """Whether devices receive it (it is then part of the payload)."""


class TensorSpec(Message, frozen=True, kw_only=True):
    """The model's input or output: real = scale * (quantised - zero_point)."""

    name: Annotated[str, msgspec.Meta(max_length=200)]
    shape: Annotated[list[Annotated[int, msgspec.Meta(ge=1)]], msgspec.Meta(min_length=1, max_length=8)]
    dtype: Literal["int8"]
    scale: Positive
    zero_point: Annotated[int, msgspec.Meta(ge=-128, le=127)]


class Preprocessing(Message, frozen=True, kw_only=True):
    """What a device does to a raw sensor window before the input tensor; see wire.preprocess."""

    kind: PreprocessingKind = "none"
    """One that this release does not know is not malformed: the device says that it lacks it."""
    mean: Channels = ()
    std: Annotated[tuple[Positive, ...], msgspec.Meta(max_length=MAX_CHANNELS)] = ()

    def __post_init__(self) -> None:
        """Decoding turns the ValueError into a WireError."""
        if len(self.mean) != len(self.std):
            raise ValueError("mean and std are not of the same channels")


class Golden(Message, frozen=True, kw_only=True):
    """Self-test: these inputs must give exactly these outputs, per numerics family."""

    inputs: Path
    """``.npy``, int8, (k, *input shape without the batch)."""
    outputs: dict[NumericsFamily, Path]
    """``.npy``, int8, (k, *output shape without the batch)."""


class TargetNeeds(Message, frozen=True, kw_only=True):
    """What the model needs on one target."""

    numerics: NumericsFamily
    ram_bytes: Count
    """For tflm: the larger of the smallest arena that TFLM was really constructed with, and the image's."""
    flash_bytes: Count
    """The part of the payload as stored in a slot."""


class Score(Message, frozen=True, kw_only=True):
    """Accuracy on the evaluation set, by execution."""

    n: Count
    correct: Count

    @property
    def accuracy(self) -> float:
        """Share of correct answers; 0 for an empty set."""
        return self.correct / self.n if self.n else 0.0


class Evaluation(Message, frozen=True, kw_only=True):
    """Scores of the float model (absent for a foreign int8 file) and of the shipped file."""

    float32: Score | None = None
    int8: dict[NumericsFamily, Score] = {}


class Manifest(Message, frozen=True, kw_only=True):
    """Everything about one bundle that a server or a device decides by."""

    format: Literal[1] = 1
    model: Name
    version: Version
    labels: Annotated[list[Annotated[str, msgspec.Meta(max_length=64)]], msgspec.Meta(max_length=MAX_CLASSES)]
    channels: Annotated[
        list[Annotated[str, msgspec.Meta(max_length=64)]], msgspec.Meta(max_length=MAX_CHANNELS)
    ] = []
    """Names of the sensor's channels, where they are known."""
    input: TensorSpec
    output: TensorSpec
    preprocessing: Preprocessing
    ops: list[OpName]
    """Of ``model.tflite``."""
    image_ops: list[OpName] = []
    """Of ``model.img``: what its compiler left to execute."""
    runtimes: dict[RuntimeName, DottedVersion] = {}
    """Oldest version of each runtime that will do; one that is not named will do in any version."""
    files: Annotated[list[FileEntry], msgspec.Meta(min_length=1, max_length=32)]
    golden: Golden
    targets: dict[Name, TargetNeeds]
    chunk_bytes: Annotated[int, msgspec.Meta(ge=256, le=65536)] = 4096
    evaluation: Evaluation = Evaluation()
    lineage: dict[str, Any] = {}

    @property
    def device_files(self) -> list[FileEntry]:
        """The files of the payload, in its order."""
        return [entry for entry in self.files if entry.device]

    @property
    def payload_bytes(self) -> int:
        """Length of the payload."""
        return sum(entry.bytes for entry in self.device_files)

    @property
    def chunks(self) -> int:
        """Number of chunks of the payload."""
        return -(-self.payload_bytes // self.chunk_bytes)

    def chunk_span(self, index: int) -> tuple[int, int]:
        """Start and end of chunk ``index`` within the payload, bytes."""
        start = index * self.chunk_bytes
        return start, min(start + self.chunk_bytes, self.payload_bytes)

    def ref(self, digest: str) -> ModelRef:
        """Reference to this version, ``digest`` being that of the manifest's bytes."""
        return ModelRef(model=self.model, version=self.version, digest=digest)


def encode_manifest(manifest: Manifest) -> bytes:
    """Canonical bytes: sorted keys, two spaces of indent, a last newline; the same on every run."""
    return msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=2) + b"\n"


def digest_of(data: bytes) -> str:
    """SHA-256 in lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def decode_manifest(data: bytes) -> Manifest:
    """Parse and check a manifest; WireError says what is wrong with it."""
    if len(data) > MAX_MANIFEST_BYTES:
        raise WireError("oversize", f"manifest of {len(data)} bytes is over {MAX_MANIFEST_BYTES}", "")
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(
            "malformed", f"not a bundle manifest: {str(error)[:200]}", "see docs/protocol.md"
        ) from error
    _check_files(manifest)
    return manifest


def _check_files(manifest: Manifest) -> None:
    by_path = {entry.path: entry for entry in manifest.files}
    if len(by_path) != len(manifest.files):
        raise WireError("malformed", "the manifest names a file twice", "make the bundle again")
    needed = [MODEL_FILE, manifest.golden.inputs, *manifest.golden.outputs.values()]
    for path in needed:
        if path not in by_path or not by_path[path].device:
            raise WireError("malformed", f"{path} is not among the device's files", "make the bundle again")
    for name, needs in manifest.targets.items():
        if needs.numerics not in manifest.golden.outputs:
            raise WireError(
                "malformed",
                f"target {name} has no golden outputs of {needs.numerics}",
                "make the bundle again",
            )
    if manifest.payload_bytes > MAX_BUNDLE_BYTES:
        raise WireError(
            "oversize",
            f"the device's files are {manifest.payload_bytes} bytes, over {MAX_BUNDLE_BYTES}",
            "make a smaller model",
        )
