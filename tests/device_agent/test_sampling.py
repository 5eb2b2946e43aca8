"""Raw windows leave a device only when its owner and the director want it, and never more than were kept."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest

from device_agent.loaded_model import Answer
from device_agent.sample_ring import SampleRing
from device_agent.sampling import Sampling
from device_agent.sensor import Reading
from tests.wire import samples
from tests.wire.samples import ASK, DEVICE, EXPIRES, NOW, SAMPLE_REQUEST
from wire import topics, trust
from wire.errors import FleetError
from wire.messages import decode
from wire.samples import Sample, sign_request

DIGEST = "ab" * 32
TENSOR = np.zeros((2, 2), np.int8)


def answer(confidence: float) -> Answer:
    return Answer(1, confidence, 1000, TENSOR)


def ring_after(readings: int, size: int, seed: int, unsure_every: int = 0) -> list[int]:
    """Steps of the windows that are kept; every so many answers is unsure."""
    ring = SampleRing(size, Random(seed))
    for step in range(readings):
        unsure = unsure_every and step % unsure_every == 0
        ring.add(np.full((2, 2), step, np.float32), None, DIGEST, answer(0.3 if unsure else 1.0), float(step))
    return [int(kept.window[0, 0]) for kept in ring.draw(size)]


def test_the_ring_is_bounded_and_in_order_of_time() -> None:
    kept = ring_after(1000, 16, seed=1)
    assert len(kept) == 16
    assert kept == sorted(kept)
    assert len(set(kept)) == 16


def test_old_windows_give_way_to_new_ones() -> None:
    kept = [step for seed in range(20) for step in ring_after(2000, 16, seed)]
    assert np.median(kept) > 1900, "three ring sizes of memory"
    assert min(kept) > 1000


def test_unsure_answers_are_kept_more_often() -> None:
    kept = Counter(step % 5 == 0 for seed in range(40) for step in ring_after(500, 16, seed, 5))
    assert kept[True] / kept.total() > 0.3, "a fifth of the windows, and more than a fifth of what is kept"


class FakeLink:
    """Remembers what was published."""

    def __init__(self) -> None:
        self.sent: list[Sample] = []

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        assert topic == topics.device(DEVICE, "samples")
        assert not retain
        self.sent.append(decode(Sample, payload))


def sampling(keep: int) -> tuple[Sampling, FakeLink]:
    link = FakeLink()
    root = trust.load_root(samples.DIRECTOR_ROOT)
    made = Sampling(DEVICE, "00000001-0000aaaa", root, lambda: NOW, link, keep, Random(1))
    for step in range(40):
        made.see(Reading(step, step, np.full((2, 2), step, np.float32), step % 3), DIGEST, answer(0.5))
    return made, link


def test_a_request_is_answered_once_with_no_more_than_is_kept() -> None:
    made, link = sampling(keep=10)
    for _ in range(3):
        made.asked(ASK)
    assert len(link.sent) == 10, "16 were asked for"
    assert [sample.index for sample in link.sent] == list(range(10))
    assert {(sample.request, sample.of, sample.digest) for sample in link.sent} == {(3, 10, DIGEST)}
    first = link.sent[0]
    assert first.label == int(first.window[0, 0]) % 3
    newer = SAMPLE_REQUEST.__class__(device=DEVICE, request=4, count=2)
    made.asked(sign_request(newer, samples.DIRECTOR_KEY, EXPIRES))
    assert len(link.sent) == 12


def test_threat_nothing_is_sent_where_the_owner_keeps_nothing() -> None:
    made, link = sampling(keep=0)
    made.asked(ASK)
    assert link.sent == []


def test_threat_nothing_is_sent_for_a_request_that_the_director_did_not_sign() -> None:
    made, link = sampling(keep=10)
    with pytest.raises(FleetError):
        made.asked(sign_request(SAMPLE_REQUEST, samples.RELEASE_KEY, EXPIRES))
    with pytest.raises(FleetError):
        made.asked(b"{}")
    made.asked(b"")
    assert link.sent == []
