"""The bytes of every message are a promise to devices in the field."""

from __future__ import annotations

import pytest

from tests.wire import samples
from tests.wire.samples import GOLDEN
from tests.wire.write_golden import FOLDER
from wire import trust
from wire.manifest import decode_manifest
from wire.messages import Reported, ServerState, Status, Telemetry, decode

CHANGED = (
    "the bytes of {name!r} changed, and devices in the field speak the old ones. "
    "If this is meant, follow tests/golden/README.md (python -m tests.wire.write_golden)"
)
MESSAGES = {
    "server-state": (ServerState, samples.SERVER_STATE),
    "status": (Status, samples.STATUS),
    "reported": (Reported, samples.REPORTED),
    "telemetry": (Telemetry, samples.TELEMETRY),
    "artifact": (trust.Artifact, samples.ARTIFACT),
}


def golden(name):
    return (FOLDER / f"{name}.json").read_bytes()


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_bytes_are_what_we_write(name):
    assert golden(name) == GOLDEN[name], CHANGED.format(name=name)


def test_golden_has_a_file_for_every_message_and_no_other():
    assert {path.stem for path in FOLDER.glob("*.json")} == set(GOLDEN)


@pytest.mark.parametrize("name", MESSAGES)
def test_golden_bytes_are_read_as_what_they_say(name):
    kind, message = MESSAGES[name]
    assert decode(kind, golden(name)) == message


def test_golden_manifest_is_read():
    assert decode_manifest(golden("manifest")) == samples.MANIFEST


def test_golden_assignment_and_bundle_verify():
    director = trust.load_root(golden("root-director"))
    image = trust.load_root(golden("root-image"))
    assignment = trust.verify_assignment(director, golden("desired"), samples.DEVICE, samples.NOW)
    assert assignment == samples.ASSIGNMENT
    artifact = decode(trust.Artifact, golden("artifact"))
    assert trust.verify_manifest(image, artifact, assignment.bundle.digest, samples.NOW) == samples.MANIFEST
