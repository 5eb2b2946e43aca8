"""Downloads against a link that withholds, lengthens or drops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from device_agent.config import hardware_of
from device_agent.disk import Disk
from device_agent.download import WINDOW, Patience, fetch_artifact, fetch_chunks
from device_agent.slot import Slot
from tests.device_agent.small_bundle import Bundle, Keys, make_bundle
from wire import topics
from wire.errors import LinkError, StoreError, TrustError, WireError
from wire.messages import encode
from wire.part import Part

IMPATIENT = Patience(timeout_s=0.01, tries=2)


class Broker:
    """Retained messages; ``asked`` is every subscription, ``open`` those that are left."""

    def __init__(self, bundle: Bundle) -> None:
        self.up = asyncio.Event()
        self.up.set()
        self.asked: list[str] = []
        self.open: dict[str, Callable[[bytes], None]] = {}
        self.most = 0
        self.retained = {topics.manifest(bundle.digest): encode(bundle.artifact)}
        for index in range(bundle.manifest.chunks):
            start, end = bundle.manifest.chunk_span(index)
            self.retained[topics.chunk(bundle.digest, index)] = bundle.payload[start:end]

    def subscribe(self, topic: str, handler: Callable[[bytes], None]) -> None:
        self.asked.append(topic)
        self.open[topic] = handler
        self.most = max(self.most, len(self.open))
        if topic in self.retained:
            asyncio.get_running_loop().call_soon(handler, self.retained[topic])

    def unsubscribe(self, topic: str) -> None:
        del self.open[topic]


HARDWARE = hardware_of("linux-pc")


@pytest.fixture
def bundle(keys: Keys) -> Bundle:
    return make_bundle(keys, 1)


def whole(bundle: Bundle) -> Part:
    return Part(0, tuple(bundle.manifest.device_files))


def download(link: Broker, bundle: Bundle, offset: int = 0, part: Part | None = None) -> bytes:
    async def collect() -> bytes:
        chunks = fetch_chunks(link, bundle.digest, bundle.manifest, part or whole(bundle), offset, IMPATIENT)  # type: ignore[arg-type]
        return b"".join([data async for data in chunks])

    return asyncio.run(collect())


def test_all_chunks_in_order_few_at_once(bundle: Bundle) -> None:
    link = Broker(bundle)
    assert download(link, bundle) == bundle.payload
    assert link.asked == [topics.chunk(bundle.digest, i) for i in range(bundle.manifest.chunks)]
    assert (link.open, link.most) == ({}, WINDOW)


@pytest.mark.parametrize("held", [0, 1, 5, 999])
def test_only_what_is_missing_is_asked_for(bundle: Bundle, held: int) -> None:
    link = Broker(bundle)
    offset = min(held * bundle.manifest.chunk_bytes, bundle.manifest.payload_bytes)
    assert download(link, bundle, offset) == bundle.payload[offset:]
    assert len(link.asked) == max(0, bundle.manifest.chunks - held)


@pytest.mark.parametrize("held", [0, 1, 100, 255, 256, 1000])
def test_a_part_is_cut_out_of_the_chunks_that_it_lies_in(bundle: Bundle, held: int) -> None:
    link, entries = Broker(bundle), tuple(bundle.manifest.device_files)
    part = Part(entries[0].bytes, entries[1:3])
    assert download(link, bundle, held, part) == bundle.payload[part.start + held : part.end]
    first, last = (part.start + held) // 256, (part.end - 1) // 256
    assert link.asked == [topics.chunk(bundle.digest, i) for i in range(first, last + 1)]


@pytest.mark.parametrize("data", [b"", b"x", b"x" * 257, b"x" * 100_000])
def test_a_chunk_of_another_length_ends_the_download(bundle: Bundle, data: bytes) -> None:
    link = Broker(bundle)
    link.retained[topics.chunk(bundle.digest, 2)] = data
    with pytest.raises(WireError) as raised:
        download(link, bundle)
    assert raised.value.code == "digest_mismatch"
    assert link.open == {}


def test_a_missing_chunk_is_asked_for_again_and_then_given_up(bundle: Bundle) -> None:
    link, missing = Broker(bundle), topics.chunk(bundle.digest, 2)
    del link.retained[missing]
    with pytest.raises(LinkError) as raised:
        download(link, bundle)
    assert raised.value.code == "link_lost"
    assert link.asked.count(missing) == 2
    assert link.open == {}


def test_time_without_a_link_does_not_count(bundle: Bundle) -> None:
    link = Broker(bundle)

    async def fetch() -> None:
        link.retained, kept = {}, link.retained
        task = asyncio.create_task(fetch_artifact(link, bundle.digest, IMPATIENT))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        link.up.clear()
        await asyncio.sleep(5 * IMPATIENT.timeout_s)
        assert not task.done()
        link.retained = kept
        link.up.set()
        assert await task == bundle.artifact

    asyncio.run(fetch())


def fill(slot: Slot, bundle: Bundle, upto: int) -> None:
    part = bundle.part()
    slot.begin(bundle.artifact, part)
    slot.append(bundle.payload[part.start : part.start + upto])


def test_a_slot_goes_on_where_it_was_and_never_with_another_bundle(
    bundle: Bundle, keys: Keys, tmp_path: Path
) -> None:
    other = make_bundle(keys, 2)
    slot = Slot(tmp_path / "a", Disk(), HARDWARE)
    fill(slot, bundle, 1000)
    assert slot.held_bytes(bundle.digest) == 1000
    assert slot.held_bytes(other.digest) == 0
    assert slot.begin(bundle.artifact, bundle.part()) == 1000
    assert slot.begin(other.artifact, other.part()) == 0
    assert slot.begin(bundle.artifact, bundle.part()) == 0


def test_a_slot_gives_only_what_was_signed(bundle: Bundle, keys: Keys, tmp_path: Path) -> None:
    slot = Slot(tmp_path / "a", Disk(), HARDWARE)
    with pytest.raises(StoreError, match="another bundle"):
        slot.load(bundle.digest)
    fill(slot, bundle, bundle.part().length)
    slot.install()
    slot.install()
    assert slot.load(bundle.digest).manifest == bundle.manifest
    with pytest.raises(StoreError, match="another bundle"):
        slot.load(make_bundle(keys, 2).digest)
    payload = tmp_path / "a" / "payload.bin"
    payload.write_bytes(payload.read_bytes()[:-1] + b"\xff")
    with pytest.raises(TrustError):
        slot.load(bundle.digest)
    slot.erase()
    slot.erase()
    with pytest.raises(StoreError, match="no payload"):
        slot.install()
