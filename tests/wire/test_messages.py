"""Messages: what is written is read back, and nothing that arrives can do more than be refused."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.wire import samples
from tests.wire.refusal import refusal
from tests.wire.strategies import instances, nested, spoiled_bytes, spoiled_json, to_json
from wire.errors import WireError
from wire.limits import MAX_CHANNELS, MAX_CLASSES, MAX_PAYLOAD_BYTES, MAX_TELEMETRY_BYTES
from wire.messages import AlertNotice, Name, Reported, ServerState, Status, Telemetry, decode, encode
from wire.sketch import ChannelSketch, TensorSketch
from wire.trust import Artifact, Assignment

KINDS = [ServerState, Status, Reported, Telemetry, AlertNotice, Artifact, Assignment]
SAMPLES = {
    ServerState: samples.SERVER_STATE,
    Status: samples.STATUS,
    Reported: samples.REPORTED,
    Telemetry: samples.TELEMETRY,
    AlertNotice: samples.ALERT_NOTICE,
    Artifact: samples.ARTIFACT,
    Assignment: samples.ASSIGNMENT,
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
@given(data=st.data())
def test_round_trip(kind, data):
    message = data.draw(instances(kind))
    assert decode(kind, encode(message)) == message


@every_kind
@given(payload=st.binary(max_size=200))
@example(payload=b"")
@example(payload=b"\xff\xfe")
@example(payload=b"null")
@example(payload=nested(1000))
@example(payload=nested(60_000))
@example(payload=b'{"x":' + nested(60_000) + b"}")
@example(payload=b'{"session":' + b"9" * 100_000 + b"}")
@example(payload=b'{"device":"\\ud800"}')
def test_threat_any_bytes_are_read_or_refused(kind, payload):
    read_or_refused(kind, payload)


@every_kind
@given(data=st.data())
def test_threat_spoiled_bytes_are_read_or_refused(kind, data):
    read_or_refused(kind, data.draw(spoiled_bytes(encode(SAMPLES[kind]))))


@every_kind
@given(data=st.data())
def test_threat_spoiled_values_are_read_or_refused(kind, data):
    read_or_refused(kind, to_json(data.draw(spoiled_json(encode(SAMPLES[kind])))))


@every_kind
def test_oversize_is_refused_before_it_is_parsed(kind):
    payload = encode(SAMPLES[kind])
    assert decode(kind, payload.ljust(MAX_PAYLOAD_BYTES)) == SAMPLES[kind]
    with pytest.raises(WireError) as caught:
        decode(kind, payload.ljust(MAX_PAYLOAD_BYTES + 1))
    assert caught.value.code == "oversize"


@every_kind
def test_a_field_of_a_newer_version_is_ignored(kind):
    payload = encode(SAMPLES[kind])
    assert decode(kind, payload[:-1] + b',"from_the_future":[1,{}]}') == SAMPLES[kind]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("device", "kitchen-1\n"),
        ("device", "a/b"),
        ("device", "+"),
        ("device", "#"),
        ("device", ""),
        ("device", "a" * 65),
        ("boot", "00000007-9f3c21aa\n"),
        ("boot", "7-9f3c21aa"),
        ("session", -1),
        ("session", 2**53 + 1),
        ("session", True),
        ("session", 1.5),
        ("state", "asleep"),
    ],
)
def test_threat_a_field_out_of_range_is_refused(field, value):
    document = {**msgspec.to_builtins(samples.STATUS), field: value}
    with pytest.raises(WireError, match="not a Status"):
        decode(Status, to_json(document))


@given(text=st.text(max_size=70))
@example(text="a\n")
def test_a_name_holds_no_separator_of_any_kind(text):
    try:
        msgspec.convert(text, Name)
    except msgspec.ValidationError:
        return
    assert not set(text) & set("/+#\n\r\0 ")


def read_or_refused(kind, payload):
    error = refusal(decode, kind, payload)
    if error is not None:
        assert error.code in {"malformed", "oversize"}
        assert len(str(error)) < 400
        return
    message = decode(kind, payload)
    assert decode(kind, encode(message)) == message


def test_more_correct_than_labelled_answers_are_refused():
    claimed = encode(samples.TELEMETRY).replace(b'"labelled":30', b'"labelled":1')
    with pytest.raises(WireError, match="do not rise"):
        decode(Telemetry, claimed)


def window_of(channels: int, classes: int) -> Telemetry:
    """A full day of one inference a second, every figure with all the digits that it can have."""
    n, per_class = 86_400, 86_400 // classes
    values = tuple(0.1 + 1 / (3 + k) for k in range(channels))
    return msgspec.structs.replace(
        samples.TELEMETRY,
        n=n,
        labelled=n,
        correct=n - 1,
        classes=[per_class] * classes,
        confidence=[n // 10] * 10,
        latency=dict.fromkeys(range(70, 100), n // 30),
        inputs=ChannelSketch(n * 100, values, values, tuple(range(channels))),
        tensor=TensorSketch(histogram=(n * 100 * channels // 16,) * 16, low=n, high=n),
    )


def test_a_window_keeps_to_its_byte_budget():
    assert len(encode(window_of(MAX_CHANNELS, MAX_CLASSES))) <= MAX_TELEMETRY_BYTES
    assert len(encode(window_of(6, 7))) <= 1600
