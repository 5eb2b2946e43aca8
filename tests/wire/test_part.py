"""Each kind of device gets its part of the payload, whole files that are what was signed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.wire.samples import FILES, HARDWARE, MANIFEST, PAYLOAD
from tests.wire.strategies import spoiled_bytes
from wire.errors import RefusedError, TrustError
from wire.manifest import IMAGE_FILE, MODEL_FILE
from wire.messages import Hardware
from wire.part import check_fits, part_of, split_part
from wire.states import NumericsFamily, Reason

IMAGE = replace(HARDWARE, format="image")
LINUX = replace(HARDWARE, target="linux-aarch64", numerics=NumericsFamily.XNNPACK)
PART = part_of(MANIFEST, IMAGE)
DATA = PAYLOAD[PART.start : PART.end]


@pytest.mark.parametrize(
    ("hardware", "files"),
    [
        (IMAGE, [IMAGE_FILE, "golden/tflm.npy", "golden/inputs.npy"]),
        (LINUX, ["golden/inputs.npy", "golden/xnnpack.npy", MODEL_FILE]),
        (HARDWARE, ["golden/tflm.npy", "golden/inputs.npy", "golden/xnnpack.npy", MODEL_FILE]),
    ],
)
def test_a_part_is_the_files_from_the_first_to_the_last_that_a_device_needs(hardware: Hardware, files):
    part = part_of(MANIFEST, hardware)
    split = split_part(part, PAYLOAD[part.start : part.end])
    assert split == {path: FILES[path] for path in files}
    assert part.length == sum(len(data) for data in split.values())


@pytest.mark.parametrize("path", [IMAGE_FILE, "golden/tflm.npy"])
def test_a_bundle_without_the_form_or_the_family_is_refused(path: str):
    files = [entry for entry in MANIFEST.files if entry.path != path]
    outputs = {f: p for f, p in MANIFEST.golden.outputs.items() if p != path}
    without = replace(MANIFEST, files=files, golden=replace(MANIFEST.golden, outputs=outputs))
    with pytest.raises(RefusedError, match="has no image for tflm") as caught:
        check_fits(without, IMAGE)
    assert caught.value.code is Reason.WRONG_TARGET


@given(data=spoiled_bytes(DATA) | st.binary(max_size=300))
def test_threat_another_payload_is_refused(data):
    if data != DATA:
        with pytest.raises(TrustError) as caught:
            split_part(PART, data)
        assert caught.value.code is Reason.DIGEST_MISMATCH


def test_it_fits_where_it_was_built_for():
    assert check_fits(MANIFEST, HARDWARE) is MANIFEST.targets["cortex-m4"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"target": "cortex-m33"}, Reason.WRONG_TARGET),
        ({"numerics": NumericsFamily.XNNPACK}, Reason.WRONG_TARGET),
        ({"ram_bytes": 8999}, Reason.OUT_OF_RAM),
        ({"flash_bytes": part_of(MANIFEST, HARDWARE).length - 1}, Reason.OUT_OF_FLASH),
    ],
)
def test_it_is_refused_elsewhere(change, reason):
    with pytest.raises(RefusedError) as caught:
        check_fits(MANIFEST, replace(HARDWARE, **change))
    assert caught.value.code is reason
