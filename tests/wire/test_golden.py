"""The bytes of every message are a promise to devices in the field."""

from __future__ import annotations

import json

import msgspec
import pytest
from msgspec.structs import replace

from tests.wire import samples
from tests.wire.samples import GOLDEN
from tests.wire.write_golden import FOLDER
from wire import trust
from wire.manifest import decode_manifest
from wire.messages import AlertNotice, Reported, ServerState, Status, Telemetry, decode
from wire.samples import Sample

CHANGED = (
    "the bytes of {name!r} changed, and devices in the field speak the old ones. "
    "If this is meant, follow tests/golden/README.md (python -m tests.wire.write_golden)"
)
MESSAGES = {
    "server-state": (ServerState, samples.SERVER_STATE),
    "status": (Status, samples.STATUS),
    "reported": (Reported, samples.REPORTED),
    "telemetry": (Telemetry, samples.TELEMETRY),
    "samples": (Sample, samples.SAMPLE),
    "artifact": (trust.Artifact, samples.ARTIFACT),
    "alert-notice": (AlertNotice, samples.ALERT_NOTICE),
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


#: What release 1 did not write; a message without it means the same as it did then.
ADDED = {
    "reported": {"hardware": ["ops", "preprocessing"]},
    "telemetry": {"": ["shadow", "energy_uj"]},
}


@pytest.mark.parametrize("name", ADDED)
def test_golden_bytes_of_older_devices_are_read_with_defaults(name):
    kind, message = MESSAGES[name]
    document = json.loads(golden(name))
    for place, fields in ADDED[name].items():
        part = document[place] if place else document
        owner = getattr(message, place) if place else message
        defaults = dict(zip(owner.__struct_fields__[::-1], owner.__struct_defaults__[::-1], strict=False))
        for field in fields:
            del part[field]
        owner = replace(owner, **{field: defaults[field] for field in fields})
        message = replace(message, **{place: owner}) if place else owner
    assert decode(kind, json.dumps(document).encode()) == message


def test_golden_manifest_of_an_older_converter_is_read_with_defaults():
    document = json.loads(golden("manifest"))
    del document["image_ops"], document["runtimes"]
    old = decode_manifest(json.dumps(document).encode())
    assert old == replace(samples.MANIFEST, image_ops=[], runtimes={})


def test_golden_policy_of_an_older_director_asks_for_nothing_new():
    policy = msgspec.convert({"trial_inferences": 9, "report_every_ms": 2500}, trust.Policy)
    assert not any((policy.shadow_inferences, policy.waits, policy.cancel, policy.new_schema))


def test_golden_manifest_is_read():
    assert decode_manifest(golden("manifest")) == samples.MANIFEST


def test_golden_assignment_and_bundle_verify():
    director = trust.load_root(golden("root-director"))
    image = trust.load_root(golden("root-image"))
    assignment = trust.verify_assignment(director, golden("desired"), samples.DEVICE, samples.NOW)
    assert assignment == samples.ASSIGNMENT
    artifact = decode(trust.Artifact, golden("artifact"))
    assert trust.verify_manifest(image, artifact, assignment.bundle.digest, samples.NOW) == samples.MANIFEST
