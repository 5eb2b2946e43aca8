"""Answers requests for field samples: the director's word is needed for each, and the owner's for any."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING

from device_agent.link import Link
from device_agent.loaded_model import Answer
from device_agent.sample_ring import Kept, SampleRing
from device_agent.sensor import Reading
from wire import topics
from wire.messages import BootId, encode
from wire.samples import MAX_VALUES, Sample, encode_values, verify_request

if TYPE_CHECKING:
    from tuf.api.metadata import Root

log = logging.getLogger("tinyfleet.device")


class Sampling:
    """The samples of one boot of one device."""

    def __init__(
        self,
        device: str,
        boot: BootId,
        root: Root,
        now: Callable[[], datetime],
        link: Link,
        keep: int,
        rng: Random,
    ) -> None:
        """``keep``: how many windows at most; 0 keeps none, and sends none."""
        self._device = device
        self._boot = boot
        self._root = root
        self._now = now
        self._link = link
        self._keep = keep
        self._ring = SampleRing(keep, rng)
        self._answered = 0

    def see(self, reading: Reading, digest: str, answer: Answer) -> None:
        """One answered reading."""
        if reading.window.size <= MAX_VALUES:
            self._ring.add(reading.window, reading.label, digest, answer, time.monotonic())

    def asked(self, payload: bytes) -> None:
        """A request: TrustError or WireError when it is not to be answered."""
        if not payload:
            return
        request = verify_request(self._root, payload, self._device, self._now())
        if not self._keep or request.request <= self._answered:
            return
        kept = self._ring.draw(request.count)
        if not kept:
            return  # asked again at the next connection, when there may be some
        self._answered = request.request
        log.info("%s: sends %d samples", self._device, len(kept))
        for sample in self._samples(request.request, kept):
            self._link.publish(topics.device(self._device, "samples"), encode(sample))

    def _samples(self, request: int, kept: list[Kept]) -> Iterable[Sample]:
        now_s = time.monotonic()
        for index, each in enumerate(kept):
            yield Sample(
                device=self._device,
                boot=self._boot,
                request=request,
                index=index,
                of=len(kept),
                digest=each.digest,
                answer=each.answer,
                confidence=each.confidence,
                label=each.label,
                age_s=max(0.0, now_s - each.at_s),
                shape=each.window.shape,
                values=encode_values(each.window),
            )
