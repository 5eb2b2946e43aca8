"""The model image's header: round trip, and any bytes are read or refused."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.wire.refusal import refusal
from tests.wire.strategies import spoiled_bytes
from wire.errors import WireError
from wire.image import FORMAT, HEADER_BYTES, MAGIC, ImageHeader, read_header, seal

words = st.integers(0, 2**32 - 1)
HEADER = ImageHeader(0, 0, 0, 0, 1, 64, 512, 0, 0, 0, 8, 8, 4)
IMAGE = seal(HEADER, bytes(range(40)))


@given(st.builds(ImageHeader, *[words] * 13), st.binary(max_size=200))
def test_round_trip(header, body):
    image = seal(header, body)
    found = read_header(image)
    assert image[HEADER_BYTES:] == body
    assert found.bytes == len(image)
    assert found[4:] == header[4:]
    assert (found.magic, found.format) == (MAGIC, FORMAT)


@given(data=st.binary(max_size=300) | spoiled_bytes(IMAGE))
def test_threat_any_bytes_are_read_or_refused(data):
    error = refusal(read_header, data)
    assert error is None or isinstance(error, WireError)
    assert (error is None) == (data == IMAGE)


@given(st.integers(0, len(IMAGE) - 1), st.integers(1, 255))
def test_threat_every_changed_byte_is_found(at, by):
    spoiled = bytearray(IMAGE)
    spoiled[at] ^= by
    assert isinstance(refusal(read_header, bytes(spoiled)), WireError)
