"""A model is refused by name of what the device or its application lacks, before anything is downloaded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.wire.samples import HARDWARE, MANIFEST
from wire.errors import RefusedError
from wire.fit import check_runtime, check_schema, why_not_beside
from wire.manifest import Preprocessing
from wire.part import check_fits
from wire.states import Reason

IMAGE = replace(HARDWARE, format="image", ops=("CONV_2D", "SOFTMAX"), runtime="tinyfleet image runtime 1")


def refusal(check, *arguments) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        check(*arguments)
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    return caught.value


def test_the_whole_check_asks_for_operators_version_and_preprocessing():
    for change, reason in (
        ({"ops": ("CONV_2D",)}, Reason.UNSUPPORTED_OP),
        ({"runtime": "tflite-micro 0.0.9"}, Reason.OLD_RUNTIME),
        ({"preprocessing": ("none",)}, Reason.PREPROCESSING),
    ):
        assert refusal(check_fits, MANIFEST, replace(HARDWARE, **change)).code is reason


def test_an_image_is_asked_for_its_own_operators_and_a_tflite_for_those_of_the_file():
    check_runtime(MANIFEST, IMAGE)
    error = refusal(check_runtime, MANIFEST, replace(IMAGE, format="tflite"))
    assert error.message == "tinyfleet image runtime 1 does not execute RESHAPE"
    check_runtime(MANIFEST, replace(HARDWARE, ops=None))


def test_an_image_of_a_bundle_that_names_no_image_operators_is_left_to_its_runtime():
    check_runtime(replace(MANIFEST, image_ops=[]), replace(IMAGE, ops=()))


@pytest.mark.parametrize(
    ("least", "has", "fits"),
    [
        ("2.3", "2.3.0", True),
        ("2.3.0", "2.3", True),
        ("2.10", "2.9.9", False),
        ("2.10", "2.11", True),
        ("0", "0.dev20250905", True),
        ("1", "0.dev20250905", False),
        ("1.2", "1.2.3rc1", True),
        ("1.2.3", "1.2.3rc1", False),
        ("1", "unknown", False),
    ],
)
def test_versions_are_compared_as_dotted_integers(least: str, has: str, fits: bool):
    manifest = replace(MANIFEST, runtimes={"ai-edge-litert": least})
    hardware = replace(HARDWARE, runtime=f"ai-edge-litert {has}")
    if fits:
        check_runtime(manifest, hardware)
    else:
        assert refusal(check_runtime, manifest, hardware).code is Reason.OLD_RUNTIME


VERSIONS = st.lists(st.integers(0, 999), min_size=1, max_size=8)


@given(VERSIONS, VERSIONS)
def test_an_older_version_is_refused_in_one_direction_only(one: list[int], other: list[int]):
    def refuses(least: list[int], has: list[int]) -> bool:
        manifest = replace(MANIFEST, runtimes={"r": ".".join(map(str, least))})
        try:
            check_runtime(manifest, replace(HARDWARE, runtime=f"r {'.'.join(map(str, has))}"))
        except RefusedError:
            return True
        return False

    same = [*one, *[0] * 8][:8] == [*other, *[0] * 8][:8]
    assert refuses(one, other) + refuses(other, one) == (0 if same else 1)


def test_a_runtime_of_another_name_is_not_asked_for_a_version():
    check_runtime(replace(MANIFEST, runtimes={"other": "9"}), HARDWARE)


def test_preprocessing_of_a_newer_release_is_refused_not_malformed():
    manifest = replace(MANIFEST, preprocessing=Preprocessing(kind="log-mel-v1"))
    assert "log-mel-v1" in refusal(check_runtime, manifest, HARDWARE).message


def test_the_same_windows_and_labels_are_the_same_schema():
    check_schema(MANIFEST, replace(MANIFEST, version=4, input=replace(MANIFEST.input, name="x", scale=0.5)))
    batched = replace(MANIFEST.input, shape=[4, *MANIFEST.input.shape[1:]])
    check_schema(MANIFEST, replace(MANIFEST, input=batched))
    check_schema(MANIFEST, replace(MANIFEST, labels=[]))


SHORT = {"input": replace(MANIFEST.input, shape=[1, 50, 6])}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (SHORT, "takes windows of shape [50, 6], watch v3 [100, 6]"),
        ({"output": replace(MANIFEST.output, shape=[1, 4])}, "gives outputs of shape [4], watch v3 [3]"),
        ({"labels": ["walk", "rest ü", "run"]}, "calls a class 'rest ü', watch v3 'run'"),
        ({"labels": ["walk", "run"]}, "calls a class '', watch v3 'rest ü'"),
    ],
)
def test_another_schema_is_refused_with_the_difference(change, words: str):
    error = refusal(check_schema, MANIFEST, replace(MANIFEST, version=4, **change))
    assert (error.code, error.message) == (Reason.SCHEMA, f"watch v4 {words}")


def test_two_models_lie_beside_each_other_when_the_sum_of_their_needs_fits():
    needs = MANIFEST.targets["cortex-m4"].ram_bytes
    assert why_not_beside(MANIFEST, MANIFEST, replace(HARDWARE, ram_bytes=2 * needs)) == ""
    assert "18000 bytes" in why_not_beside(MANIFEST, MANIFEST, replace(HARDWARE, ram_bytes=2 * needs - 1))
    assert why_not_beside(None, MANIFEST, HARDWARE) == "there is no confirmed model"
