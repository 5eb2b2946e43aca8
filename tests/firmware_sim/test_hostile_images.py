"""An image can be damaged or lie: the runtime says so, and touches nothing that is not the image's.

Flash behind the image and RAM beside the arena are watched while images run whose words are wrong but whose
checksum is right.
"""

from __future__ import annotations

import re
import struct
from functools import cache
from itertools import chain as chained

import numpy as np
import pytest
import unicorn
from hypothesis import assume, given
from hypothesis import strategies as st

from converter.image.compiler import Image, compile_image
from firmware_sim import toolchain
from firmware_sim.machine import HardFaultError
from tests.firmware_sim import stateful
from tests.firmware_sim.bench import ARENA_BYTES, CORES, machine
from tests.firmware_sim.model_builder import ModelBuilder
from wire.errors import RefusedError
from wire.image import HEADER_BYTES, ImageHeader, read_header, seal

ODD_WORDS = (-1, 0, 1, 3, 4, 33, 0x7FFF, 0x10000, 0x7FFFFFFF, -0x80000000)
SMALL = 2 * 1024
IMAGES = 6


@cache
def images() -> tuple[Image, ...]:
    random = np.random.default_rng(9)
    streams = (
        stateful.svdf(random, batch=2, inputs=5, units=3, rank=2, memory=4),
        stateful.lstm(random, batch=1, steps=3, inputs=4, units=3),
    )
    others = (floats(), values(random), upsampling(random))
    return tuple(map(compile_image, (pictures(random), *streams, *others)))


def pictures(random: np.random.Generator) -> bytes:
    """Convolutions (one pointwise, one depthwise), a pool, a dense layer and softmax."""
    builder = ModelBuilder()
    places = [builder.tensor((1, 6, 6, 4), 0.05)]
    spatial = {"padding": 0, "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    conv = ("CONV_2D", "Conv2DOptions")
    for (name, options), shape in (
        (conv, (6, 3, 3, 4)),
        (conv, (8, 1, 1, 6)),
        (conv, (4, 1, 1, 8)),
        (("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions"), (1, 3, 3, 4)),
    ):
        weights = builder.constant(stateful.int8s(random, *shape), 0.01)
        places.append(builder.tensor((1, 6, 6, shape[0 if name == "CONV_2D" else 3]), 0.05))
        extra = {} if name == "CONV_2D" else {"depthMultiplier": 1}
        builder.op(name, [places[-2], weights], [places[-1]], options, **spatial, **extra)
    pooled, made = builder.tensor((1, 3, 3, 4), 0.05), builder.tensor((1, 5), 0.05)
    pool = {"padding": 0, "strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}
    builder.op("AVERAGE_POOL_2D", [places[-1]], [pooled], "Pool2DOptions", **pool)
    weights = builder.constant(stateful.int8s(random, 5, 36), 0.01)
    builder.op("FULLY_CONNECTED", [pooled, weights], [made], "FullyConnectedOptions")
    out = builder.tensor((1, 5), 1 / 256, -128)
    builder.op("SOFTMAX", [made], [out], "SoftmaxOptions", beta=1.0)
    return builder.finish(places[0], out)


def floats() -> bytes:
    builder = ModelBuilder()
    one, other = builder.tensor((1, 7), 0.1, 3), builder.tensor((1, 7), None, dtype="float32")
    builder.op("DEQUANTIZE", [one], [other], "DequantizeOptions")
    return builder.finish(one, other)


def values(random: np.random.Generator) -> bytes:
    """PAD, ADD of a constant, MUL of a pixel, LOGISTIC, RESIZE_NEAREST_NEIGHBOR, MEAN."""
    builder = ModelBuilder()
    one = builder.tensor((1, 3, 4, 3), 0.05)
    padded, added, scaled = (builder.tensor((1, 4, 5, 3), scale) for scale in (0.05, 0.1, 0.2))
    squashed = builder.tensor((1, 4, 5, 3), 1 / 256, -128)
    resized, made = builder.tensor((1, 7, 9, 3), 1 / 256, -128), builder.tensor((1, 3), 1 / 256, -128)
    pads = builder.constant(np.array([[0, 0], [1, 0], [0, 1], [0, 0]], np.int32))
    builder.op("PAD", [one, pads], [padded], "PadOptions")
    builder.op(
        "ADD", [padded, builder.constant(stateful.int8s(random, 1, 4, 5, 3), 0.05)], [added], "AddOptions"
    )
    builder.op(
        "MUL", [added, builder.constant(stateful.int8s(random, 1, 1, 1, 3), 0.05)], [scaled], "MulOptions"
    )
    builder.op("LOGISTIC", [scaled], [squashed])
    size = builder.constant(np.array([7, 9], np.int32))
    builder.op("RESIZE_NEAREST_NEIGHBOR", [squashed, size], [resized], "ResizeNearestNeighborOptions")
    axes = builder.constant(np.array([1, 2], np.int32))
    builder.op("MEAN", [resized, axes], [made], "ReducerOptions", keepDims=False)
    return builder.finish(one, made)


def upsampling(random: np.random.Generator) -> bytes:
    """TRANSPOSE_CONV, RESIZE_BILINEAR."""
    builder = ModelBuilder()
    one, apart = builder.tensor((1, 3, 4, 2), 0.05), builder.tensor((1, 6, 8, 3), 0.05)
    made = builder.tensor((1, 7, 5, 3), 0.05)
    shape = builder.constant(np.array([1, 6, 8, 3], np.int32))
    weights = builder.constant(stateful.int8s(random, 3, 3, 3, 2), 0.01)
    strides = {"strideH": 2, "strideW": 2, "padding": 0}
    builder.op("TRANSPOSE_CONV", [shape, weights, one], [apart], "TransposeConvOptions", **strides)
    size = builder.constant(np.array([7, 5], np.int32))
    builder.op("RESIZE_BILINEAR", [apart, size], [made], "ResizeBilinearOptions")
    return builder.finish(one, made)


class Watched:
    """What a core touches beside its own variables, its stack, the image and the arena."""

    def __init__(self, core: str, image_bytes: int, arena_bytes: int) -> None:
        self.machine = machine(core)
        layout, symbols, sections = (
            self.machine.layout,
            self.machine.elf.symbols,
            self.machine.elf.sections,
        )
        self.strays: list[str] = []
        arena = symbols["arena_start"]
        text, length = sections[".text"]
        self.forbidden = (
            (text + length, layout.slot_origin),
            (layout.slot_origin + image_bytes, layout.flash_origin + layout.flash_bytes),
            (symbols["bss_end"], arena),
            (arena + arena_bytes, layout.ram_origin + layout.ram_bytes),
        )

    def __enter__(self) -> Watched:
        kinds = unicorn.UC_HOOK_MEM_READ | unicorn.UC_HOOK_MEM_WRITE
        engine = self.machine.engine
        self.hooks = [engine.hook_add(kinds, self.note, None, a, b - 1) for a, b in self.forbidden]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self.hooks:
            self.machine.engine.hook_del(hook)

    def note(self, _engine, access, address, size, _value, _user):
        self.strays.append(f"{'write' if access == unicorn.UC_MEM_WRITE else 'read'} of 0x{address:08x}")


def verdict(core: str, image: bytes) -> str:
    """What the firmware says, or ``ran``; fails on strays and faults."""
    arena_bytes = struct.unpack_from("<I", image, 24)[0]
    with Watched(core, len(image), min(arena_bytes, ARENA_BYTES)) as watched:
        it = watched.machine
        it.write(it.layout.slot_origin, image)
        try:
            it.bind(it.layout.slot_origin, len(image))
        except HardFaultError:
            raise
        except RefusedError as error:
            return error.message
        it.invoke()
    assert not watched.strays, watched.strays[:5]
    return "ran"


def with_word(image: Image, at: int, word: int) -> bytes:
    """The image with one word replaced and its checksum right."""
    data = bytearray(image.data)
    struct.pack_into("<i", data, at, word)
    header = ImageHeader(*struct.unpack_from("<13I", data))
    return seal(header, bytes(data[HEADER_BYTES:]))


def record_words(image: Image) -> list[int]:
    """Places of all words of all records."""
    return list(range(image.header.ops_at, len(image.data), 4))


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m0plus"])
@pytest.mark.parametrize("which", range(IMAGES))
def test_threat_one_wrong_word_anywhere(core, which):
    image = images()[which]
    said = set()
    for at in chained(range(16, HEADER_BYTES, 4), record_words(image)):
        right = struct.unpack_from("<i", image.data, at)[0]
        for word in {*ODD_WORDS, right + 1, right - 1, right * 2 & 0x7FFFFFFF} - {right}:
            said.add(verdict(core, with_word(image, at, word)))
    assert said >= {"ran", "the firmware says: the image is damaged"}


@given(st.data(), st.sampled_from(sorted(CORES)), st.integers(0, IMAGES - 1))
def test_threat_several_wrong_words(data, core, which):
    image = images()[which]
    changed = bytearray(image.data)
    for at in data.draw(st.lists(st.sampled_from(record_words(image)), min_size=1, max_size=4)):
        right = struct.unpack_from("<i", changed, at)[0]
        near = st.integers(-SMALL, SMALL).map(lambda off, right=right: right + off)
        word = data.draw(st.sampled_from(ODD_WORDS) | near)
        struct.pack_into("<I", changed, at, word & 0xFFFFFFFF)
    header = ImageHeader(*struct.unpack_from("<13I", changed))
    verdict(core, seal(header, bytes(changed[HEADER_BYTES:])))


@given(st.data(), st.sampled_from(sorted(CORES)), st.integers(0, IMAGES - 1))
def test_threat_any_damage_is_found(data, core, which):
    image = images()[which].data
    at = data.draw(st.integers(0, len(image) - 1))
    spoiled = bytearray(image)
    spoiled[at] ^= data.draw(st.integers(1, 255))
    assume(bytes(spoiled) != image)
    assert verdict(core, bytes(spoiled)).startswith("the firmware says")


@pytest.mark.parametrize("core", CORES)
def test_threat_cut_off_and_foreign_bytes(core):
    image = images()[0].data
    for length in (0, 4, HEADER_BYTES, len(image) - 4):
        assert verdict(core, image[:length].ljust(HEADER_BYTES, b"\xff")).startswith("the firmware says")


def test_every_kind_of_record_is_checked():
    folder = toolchain._FIRMWARE
    kinds = set(re.findall(r"\[(RECORD_\w+)\] = run_", (folder / "runtime.c").read_text()))
    checked = set(re.findall(r"\[(RECORD_\w+)\] = \{check_", (folder / "check.c").read_text()))
    assert kinds == checked


def test_images_here_have_every_kind_of_record():
    found = {struct.unpack_from("<H", image.data, at)[0] for image in images() for at in starts(image)}
    text = (toolchain._FIRMWARE / "check.c").read_text()
    assert len(found) == len(re.findall(r"\[RECORD_\w+\] = \{check_", text))


def starts(image: Image) -> list[int]:
    """Places of the records."""
    found, at = [], read_header(image.data).ops_at
    for _ in image.ops:
        found.append(at)
        at += 4 * (struct.unpack_from("<I", image.data, at)[0] >> 16)
    return found
