"""Reading .tflite files: right about good ones, and only ever a typed error for bad ones."""

import contextlib
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from converter import lint
from converter.flatbuffer import parse, weight_spans
from wire.errors import FleetError, InputError


@pytest.fixture(scope="module")
def model(bundle_dir: Path) -> bytes:
    return (bundle_dir / "model.tflite").read_bytes()


def test_ops_tensors_and_weights_of_the_watch_model(model: bytes):
    parsed = parse(model)
    assert parsed.ops == ["RESHAPE", "CONV_2D", "MEAN", "FULLY_CONNECTED", "SOFTMAX"]
    spec_in, spec_out = lint.check(parsed)
    assert spec_in.shape == [1, 100, 6]
    assert spec_out.shape == [1, 7]
    # Softmax has this scale by TFLite's quantisation specification.
    assert (spec_out.scale, spec_out.zero_point) == (1 / 256, -128)
    widths = [16 * 7 * 6, 32 * 5 * 16, 32 * 5 * 32, 7 * 32]
    assert sorted(end - start for start, end in weight_spans(model)) == sorted(widths)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_truncated_file_is_a_typed_error(model: bytes, data: st.DataObject):
    length = data.draw(st.integers(0, len(model) - 1))
    with pytest.raises(InputError):
        lint.check(parse(model[:length]))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_flipped_bits_are_a_typed_error_or_a_model(model: bytes, data: st.DataObject):
    damaged = bytearray(model)
    for position in data.draw(st.lists(st.integers(0, len(model) * 8 - 1), min_size=1, max_size=8)):
        damaged[position // 8] ^= 1 << position % 8
    with contextlib.suppress(FleetError):
        lint.check(parse(bytes(damaged)))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_typed_error(data: bytes):
    for candidate in (data, data[:4] + b"TFL3" + data[4:]):
        with pytest.raises(InputError):
            parse(candidate)


def test_an_oversize_file_is_refused():
    with pytest.raises(InputError, match="is over"):
        parse(bytes(33 * 1024 * 1024))
