"""Bundles from retained topics: subscribing to a chunk is the GET, and the broker is the CDN."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Final, NamedTuple

from device_agent.link import Link
from wire import topics
from wire.errors import LinkError, WireError
from wire.limits import MAX_PAYLOAD_BYTES
from wire.manifest import Manifest
from wire.messages import decode
from wire.part import Part
from wire.states import Reason
from wire.trust import Artifact

#: Chunks asked for at once.
WINDOW: Final = 8


class Patience(NamedTuple):
    """How long to wait for a retained message while the link is up, and how often to ask again."""

    timeout_s: float = 20.0
    tries: int = 3


async def fetch_artifact(link: Link, digest: str, patience: Patience) -> Artifact:
    """The signed manifest of a bundle, unchecked; LinkError when the broker has none."""
    payload = await _fetch(link, topics.manifest(digest), MAX_PAYLOAD_BYTES, patience)
    return decode(Artifact, payload)


async def fetch_chunks(
    link: Link, digest: str, manifest: Manifest, part: Part, held_bytes: int, patience: Patience
) -> AsyncGenerator[bytes, None]:
    """What is missing of a part of which ``held_bytes`` are there, in order, a chunk at a time.

    Raises WireError for a chunk of another length than the manifest says, LinkError when one is
    not there. Leaves no subscription behind.
    """
    waiting: deque[asyncio.Task[bytes]] = deque()
    try:
        start = part.start + held_bytes
        chunks = range(start // manifest.chunk_bytes, -(-part.end // manifest.chunk_bytes))
        for index in chunks if start < part.end else ():
            first, end = manifest.chunk_span(index)
            wanted = range(max(start, first), min(part.end, end))
            waiting.append(asyncio.create_task(_fetch_chunk(link, digest, manifest, index, wanted, patience)))
            if len(waiting) == WINDOW:
                yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _fetch_chunk(
    link: Link, digest: str, manifest: Manifest, index: int, wanted: range, patience: Patience
) -> bytes:
    """The wanted bytes of the payload, all of which are in this chunk."""
    start, end = manifest.chunk_span(index)
    data = await _fetch(link, topics.chunk(digest, index), manifest.chunk_bytes, patience)
    if len(data) != end - start:
        raise WireError(
            Reason.DIGEST_MISMATCH,
            f"chunk {index} has {len(data)} bytes, not {end - start}",
            "publish it again",
        )
    return data[wanted.start - start : wanted.stop - start]


async def _fetch(link: Link, topic: str, limit_bytes: int, patience: Patience) -> bytes:
    """The retained payload of a topic. Time without a link does not count: the update waits for it."""
    tries = 0
    while True:
        await link.up.wait()
        arrived: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        link.subscribe(topic, lambda payload, a=arrived: None if a.done() else a.set_result(payload))  # type: ignore[misc]
        try:
            payload = await asyncio.wait_for(arrived, patience.timeout_s)
        except TimeoutError:
            tries += link.up.is_set()
            if tries >= patience.tries:
                raise LinkError(
                    Reason.LINK_LOST, f"the broker has nothing at {topic}", "publish the bundle again"
                ) from None
            continue
        finally:
            link.unsubscribe(topic)
        if len(payload) > limit_bytes:
            raise WireError(
                Reason.DIGEST_MISMATCH, f"{len(payload)} bytes at {topic}, over {limit_bytes}", ""
            )
        return payload
