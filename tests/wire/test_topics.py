"""Topics: within AWS IoT Core's limits, and no id can reach into another's."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.wire.refusal import refusal
from wire import topics
from wire.errors import WireError
from wire.states import AlertKind

ID = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)
DIGEST = "ab" * 32
KINDS = st.sampled_from(["status", "desired", "reported", "telemetry", "samples"])
MAX_TOPIC_BYTES = 256


@given(device=ID, kind=KINDS, index=st.integers(0, 2**31))
def test_every_topic_has_at_most_7_slashes(device, kind, index):
    made = [
        topics.SERVER_STATE,
        topics.device(device, kind),
        topics.manifest(DIGEST),
        topics.chunk(DIGEST, index),
        *map(topics.alert, AlertKind),
        *topics.REPORTS,
    ]
    for topic in made:
        assert topic.count("/") <= 7
        assert len(topic.encode()) <= MAX_TOPIC_BYTES
        assert topic.startswith("tinyfleet/v1/")


@given(device=ID, kind=KINDS)
def test_a_device_topic_is_parsed_as_it_was_made(device, kind):
    assert topics.parse_device(topics.device(device, kind)) == (device, kind)


@pytest.mark.parametrize(
    "bad",
    ["", ".", "-a", "_a", "a/b", "+", "#", "a#", "a b", "a\n", "a\0", "é", "a" * 65, "$SYS", "../a"],
)
def test_threat_bad_ids_are_refused(bad):
    for use in (topics.check_device_id, lambda device: topics.device(device, "status")):
        with pytest.raises(WireError) as caught:
            use(bad)
        assert caught.value.code == "bad_device_id"
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", ["", "ab" * 31, "AB" * 32, DIGEST + "\n", DIGEST + "00", "g" * 64, "+"])
def test_threat_bad_digests_are_refused(bad):
    for use in (topics.check_digest, topics.manifest, lambda digest: topics.chunk(digest, 0)):
        with pytest.raises(WireError) as caught:
            use(bad)
        assert caught.value.code == "bad_digest"


@given(topic=st.text(max_size=100))
@example(topic="tinyfleet/v1/d//status")
@example(topic="tinyfleet/v1/d/a/b/c")
@example(topic="tinyfleet/v2/d/a/status")
@example(topic="tinyfleet/v1/a/x/manifest")
@example(topic="tinyfleet/v1/d/a\n/status")
def test_threat_any_topic_is_parsed_or_refused(topic):
    error = refusal(topics.parse_device, topic)
    if error is not None:
        assert error.code in {"bad_topic", "bad_device_id"}
    else:
        device, kind = topics.parse_device(topic)
        assert topic == f"tinyfleet/v1/d/{device}/{kind}"
