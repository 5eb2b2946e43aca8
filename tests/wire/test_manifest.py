"""The manifest and the payload that it describes."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.refusal import refusal
from tests.wire.samples import MANIFEST, MANIFEST_BYTES, PAYLOAD
from tests.wire.strategies import instances, nested, spoiled_bytes, spoiled_json, to_json
from wire.errors import WireError
from wire.limits import MAX_BUNDLE_BYTES, MAX_MANIFEST_BYTES
from wire.manifest import Manifest, decode_manifest, encode_manifest
from wire.states import NumericsFamily

replace = msgspec.structs.replace


@given(any_manifest=instances(Manifest))
def test_round_trip(any_manifest):
    manifest = replace(any_manifest, files=MANIFEST.files, golden=MANIFEST.golden)
    data = encode_manifest(manifest)
    assert decode_manifest(data) == manifest
    assert encode_manifest(decode_manifest(data)) == data


@given(data=st.binary(max_size=300) | spoiled_bytes(MANIFEST_BYTES))
def test_threat_any_bytes_are_read_or_refused(data):
    read_or_refused(data)


@given(document=spoiled_json(MANIFEST_BYTES))
def test_threat_spoiled_values_are_read_or_refused(document):
    read_or_refused(to_json(document))


@pytest.mark.parametrize("depth", [900, 5000, 30_000])
def test_threat_deep_nesting_is_read_or_refused(depth):
    refusal(decode_manifest, MANIFEST_BYTES.replace(b'"seed": 7', b'"seed": ' + nested(depth)))


def test_oversize():
    with pytest.raises(WireError, match="over"):
        decode_manifest(MANIFEST_BYTES.ljust(MAX_MANIFEST_BYTES + 1))


@pytest.mark.parametrize(
    "path",
    ["../model.tflite", "/etc/passwd", "a/b/c.npy", "model.tflite\n", "A.npy", "a\\b.npy", ".x"],
)
def test_threat_a_path_cannot_leave_the_slot(path):
    document = msgspec.to_builtins(MANIFEST)
    document["files"][4]["path"] = path
    with pytest.raises(WireError, match="not a bundle manifest"):
        decode_manifest(to_json(document))


def test_a_file_named_twice_is_refused():
    with pytest.raises(WireError, match="twice"):
        decode_manifest(encode_manifest(replace(MANIFEST, files=[*MANIFEST.files, MANIFEST.files[4]])))


@pytest.mark.parametrize("index", range(1, 5))
def test_a_file_that_devices_need_must_be_theirs(index):
    files = list(MANIFEST.files)
    files[index] = replace(files[index], device=False)
    with pytest.raises(WireError, match="among the device's files"):
        decode_manifest(encode_manifest(replace(MANIFEST, files=files)))


def test_a_payload_over_the_limit_is_refused():
    files = [replace(MANIFEST.files[0], bytes=MAX_BUNDLE_BYTES), *MANIFEST.files[1:]]
    with pytest.raises(WireError, match="over"):
        decode_manifest(encode_manifest(replace(MANIFEST, files=files)))


def test_mean_and_std_of_different_channels_are_refused():
    document = msgspec.to_builtins(MANIFEST)
    document["preprocessing"]["std"] = [1.0]
    with pytest.raises(WireError, match="same channels"):
        decode_manifest(to_json(document))


def test_chunks_are_the_payload():
    spans = [MANIFEST.chunk_span(index) for index in range(MANIFEST.chunks)]
    assert b"".join(PAYLOAD[start:end] for start, end in spans) == PAYLOAD
    assert all(0 < end - start <= MANIFEST.chunk_bytes for start, end in spans)


def read_or_refused(data):
    error = refusal(decode_manifest, data)
    if error is not None:
        assert error.code in {"malformed", "oversize"}
        return
    manifest = decode_manifest(data)
    assert decode_manifest(encode_manifest(manifest)) == manifest


def test_a_target_without_golden_outputs_of_its_numerics_is_refused():
    golden = replace(MANIFEST.golden, outputs={NumericsFamily.XNNPACK: MANIFEST.golden.inputs})
    with pytest.raises(WireError, match="has no golden outputs of tflm"):
        decode_manifest(encode_manifest(replace(MANIFEST, golden=golden)))
