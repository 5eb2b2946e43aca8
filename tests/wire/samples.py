"""One of every message, always the same: fixed keys, fixed times, every field in use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner

from wire import trust
from wire.manifest import (
    Evaluation,
    FileEntry,
    Golden,
    Manifest,
    Preprocessing,
    Score,
    TargetNeeds,
    TensorSpec,
    digest_of,
    encode_manifest,
)
from wire.messages import (
    AlertNotice,
    Hardware,
    ModelRef,
    Reported,
    ServerState,
    Shadow,
    Status,
    Telemetry,
    encode,
)
from wire.samples import Sample, SampleRequest, encode_values, sign_request
from wire.sketch import ChannelSketch, TensorSketch
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

NOW = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
EXPIRES = NOW + timedelta(days=7)
DEVICE = "kitchen-1"
BOOT = "00000007-9f3c21aa"

ROOT_KEY, RELEASE_KEY, DIRECTOR_KEY, STRANGER_KEY = (
    CryptoSigner(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)) for number in (1, 2, 3, 4)
)
IMAGE_ROOT = trust.make_root(ROOT_KEY, RELEASE_KEY.public_key, EXPIRES)
DIRECTOR_ROOT = trust.make_root(ROOT_KEY, DIRECTOR_KEY.public_key, EXPIRES)

FILES = {
    "model.img": b"image" * 99,
    "golden/tflm.npy": b"tflm" * 5,
    "golden/inputs.npy": b"inputs" * 10,
    "golden/xnnpack.npy": b"xnnpack" * 5,
    "model.tflite": bytes(range(256)) * 40,
    "report.json": b"{}\n",
}
PAYLOAD = b"".join(data for path, data in FILES.items() if path != "report.json")
MANIFEST = Manifest(
    model="watch",
    version=3,
    labels=["walk", "run", "rest ü"],
    channels=["left", "right"],
    input=TensorSpec(name="serving_x:0", shape=[1, 100, 6], dtype="int8", scale=0.03125, zero_point=-3),
    output=TensorSpec(name="out", shape=[1, 3], dtype="int8", scale=0.00390625, zero_point=-128),
    preprocessing=Preprocessing(kind="standardise-v1", mean=(0.1, -2.5), std=(1.0, 0.75)),
    ops=["CONV_2D", "RESHAPE", "SOFTMAX"],
    image_ops=["CONV_2D", "SOFTMAX"],
    runtimes={"tflite-micro": "0.1"},
    files=[
        FileEntry(path=path, bytes=len(data), sha256=digest_of(data), device=path != "report.json")
        for path, data in FILES.items()
    ],
    golden=Golden(
        inputs="golden/inputs.npy",
        outputs={
            NumericsFamily.TFLM: "golden/tflm.npy",
            NumericsFamily.XNNPACK: "golden/xnnpack.npy",
        },
    ),
    targets={
        "cortex-m4": TargetNeeds(numerics=NumericsFamily.TFLM, ram_bytes=9000, flash_bytes=10_355),
        "linux-aarch64": TargetNeeds(numerics=NumericsFamily.XNNPACK, ram_bytes=0, flash_bytes=10_355),
    },
    evaluation=Evaluation(
        float32=Score(n=1000, correct=803), int8={NumericsFamily.TFLM: Score(n=1000, correct=801)}
    ),
    lineage={"data_sha256": "ab" * 32, "seed": 7, "split": ["s1", "s2"]},
)
MANIFEST_BYTES = encode_manifest(MANIFEST)
BUNDLE = MANIFEST.ref(digest_of(MANIFEST_BYTES))
OLD_BUNDLE = ModelRef(model="watch", version=2, digest="cd" * 32)

ARTIFACT = trust.Artifact(
    manifest=MANIFEST_BYTES.decode(),
    signature=trust.sign_manifest(MANIFEST_BYTES, RELEASE_KEY, EXPIRES).decode(),
)
ASSIGNMENT = trust.Assignment(
    device=DEVICE,
    sequence=12,
    attempt="r4-kitchen-1",
    bundle=BUNDLE,
    policy=trust.Policy(
        trial_inferences=9,
        report_every_ms=2500,
        shadow_inferences=400,
        shadow_per_mille=150,
        shadow_max_disagree_per_mille=25,
        begin_in_s=3600,
        begin_for_s=7200,
        new_schema=True,
    ),
)
DESIRED = trust.sign_assignment(ASSIGNMENT, len(MANIFEST_BYTES), DIRECTOR_KEY, EXPIRES)
HARDWARE = Hardware(
    target="cortex-m4",
    board="nucleo-l4r5zi",
    numerics=NumericsFamily.TFLM,
    runtime="tflite-micro 0.1",
    ram_bytes=131_072,
    flash_bytes=262_144,
    ops=("CONV_2D", "RESHAPE", "SOFTMAX"),
    preprocessing=("none", "standardise-v1"),
)
SERVER_STATE = ServerState(state=Presence.ONLINE, session=5)
STATUS = Status(device=DEVICE, state=Presence.OFFLINE, session=41, boot=BOOT)
REPORTED = Reported(
    device=DEVICE,
    boot=BOOT,
    seq=99,
    sequence=12,
    attempt="r4-kitchen-1",
    state=UpdateState.ROLLED_BACK,
    reason=Reason.SELF_TEST,
    detail="vector 3: 17 is not 18",
    running=OLD_BUNDLE,
    slots={"a": OLD_BUNDLE, "b": None},
    downloaded_bytes=10_355,
    hardware=HARDWARE,
)
TELEMETRY = Telemetry(
    device=DEVICE,
    boot=BOOT,
    seq=100,
    attempt=None,
    model=OLD_BUNDLE,
    numerics=NumericsFamily.TFLM,
    at_unix_s=1798858800.5,
    duration_s=60.0,
    historical=True,
    n=30,
    errors=1,
    first=1200,
    latency_clock="host",
    latency={70: 29, 71: 1},
    latency_sum_us=33_000,
    labelled=30,
    correct=24,
    classes=[10, 15, 5],
    confidence=[0, 0, 0, 1, 2, 3, 4, 5, 6, 9],
    inputs=ChannelSketch(3000, (0.5, -1.25), (12.0, 0.0), (0, 30)),
    tensor=TensorSketch(histogram=(*range(16),), low=0, high=3),
    rss_bytes=None,
    arena_bytes=8192,
    dropped=2,
    shadow=Shadow(model=BUNDLE, n=9, disagreed=2, errors=1, latency_sum_us=8_800),
    energy_uj=312,
)

SAMPLE_REQUEST = SampleRequest(device=DEVICE, request=3, count=16)
ASK = sign_request(SAMPLE_REQUEST, DIRECTOR_KEY, EXPIRES)
SAMPLE = Sample(
    device=DEVICE,
    boot="00000007-9f3c21aa",
    request=3,
    index=1,
    of=2,
    digest=BUNDLE.digest,
    answer=2,
    confidence=0.4375,
    label=1,
    age_s=12.5,
    shape=(2, 3),
    values=encode_values(np.array([[0.5, -1.25, 3.0], [0.0, 1e-3, -7.5]], np.float32)),
)
ALERT_NOTICE = AlertNotice(
    id="3f9c21aa00d1e2f3-17",
    server="3f9c21aa00d1e2f3",
    alert=7,
    event=AlertEvent.ACKNOWLEDGED,
    at_unix_s=1798858800.5,
    by="ann",
    note="a firmware test, on it",
    kind=AlertKind.DRIFT,
    key="watch/inputs",
    state=AlertState.ACKNOWLEDGED,
    severity=Severity.WARNING,
    subject="model watch",
    message="watch: 12 devices get other inputs than they used to",
    opened_at_unix_s=1798855200.0,
    since_unix_s=1798851600.0,
    count=3,
    reopened=1,
    devices=("kitchen-1", "kitchen-2"),
    device_count=12,
    changed="mean of acc_x from 0.1 to 1.2",
    advice="look at one of them",
    url="https://fleet.example.org/alerts/7",
)

#: What is compared with tests/golden/<name>.json, byte for byte.
GOLDEN = {
    "server-state": encode(SERVER_STATE),
    "status": encode(STATUS),
    "desired": DESIRED,
    "reported": encode(REPORTED),
    "telemetry": encode(TELEMETRY),
    "ask": ASK,
    "samples": encode(SAMPLE),
    "artifact": encode(ARTIFACT),
    "alert-notice": encode(ALERT_NOTICE),
    "manifest": MANIFEST_BYTES,
    "root-image": IMAGE_ROOT,
    "root-director": DIRECTOR_ROOT,
}
