"""Field samples: only the director may ask, and what comes is what its shape says."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire import samples
from tests.wire.samples import ASK, DEVICE, EXPIRES, NOW, SAMPLE, SAMPLE_REQUEST
from tests.wire.strategies import spoiled_bytes
from wire import trust
from wire.errors import FleetError, TrustError, WireError
from wire.messages import decode, encode
from wire.samples import MAX_VALUES, Sample, encode_values, sign_request, verify_request

DIRECTOR = trust.load_root(samples.DIRECTOR_ROOT)


def test_threat_only_the_director_may_ask_and_only_this_device():
    assert verify_request(DIRECTOR, ASK, DEVICE, NOW) == SAMPLE_REQUEST
    with pytest.raises(TrustError):
        verify_request(DIRECTOR, ASK, "other", NOW)
    with pytest.raises(TrustError):
        verify_request(DIRECTOR, ASK, DEVICE, EXPIRES + timedelta(seconds=1))
    stolen = sign_request(SAMPLE_REQUEST, samples.RELEASE_KEY, EXPIRES)
    with pytest.raises(TrustError):
        verify_request(DIRECTOR, stolen, DEVICE, NOW)


def test_threat_a_signed_request_cannot_be_made_larger_or_another():
    with pytest.raises(TrustError, match="another text"):
        verify_request(DIRECTOR, ASK.replace(b'\\"count\\":16', b'\\"count\\":99'), DEVICE, NOW)
    with pytest.raises(FleetError):
        verify_request(DIRECTOR, samples.DESIRED, DEVICE, NOW)


@given(spoiled_bytes(ASK))
def test_spoiled_requests_are_refused_or_the_same(payload: bytes):
    with contextlib.suppress(FleetError):
        assert verify_request(DIRECTOR, payload, DEVICE, NOW) == SAMPLE_REQUEST


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=4).flatmap(
        lambda shape: st.lists(
            st.floats(width=32, allow_nan=False, allow_infinity=False),
            min_size=int(np.prod(shape)),
            max_size=int(np.prod(shape)),
        ).map(lambda values: np.array(values, np.float32).reshape(shape))
    )
)
def test_a_window_comes_as_it_was(window: np.ndarray):
    sent = msgspec.structs.replace(SAMPLE, shape=window.shape, values=encode_values(window))
    assert (decode(Sample, encode(sent)).window == window).all()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"values": "AAAA"}, "not of its shape"),
        ({"values": "!" * 32}, "not base64"),
        ({"values": encode_values(np.full((2, 3), np.nan, np.float32))}, "not finite"),
    ],
)
def test_values_that_are_not_what_they_say_are_refused(changes: dict[str, object], why: str):
    with pytest.raises(WireError, match=why):
        _ = msgspec.structs.replace(SAMPLE, **changes).window


@pytest.mark.parametrize(
    "changes",
    [{"index": 2}, {"shape": (MAX_VALUES, 2)}, {"shape": ()}, {"confidence": 1e9}, {"of": 0}],
)
def test_samples_out_of_bounds_are_refused(changes: dict[str, object]):
    document = {**msgspec.to_builtins(SAMPLE), **changes}
    with pytest.raises(WireError):
        decode(Sample, msgspec.json.encode(document))
