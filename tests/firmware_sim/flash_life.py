"""The life of one microcontroller on its flash, every flash operation of it remembered."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
import pytest
from msgspec.structs import replace as replace_struct

import boards
from converter.image.compiler import compile_image
from device_agent import update_state as u
from device_agent.answering import Answering
from device_agent.config import read_root
from device_agent.selftest import read_npy
from device_agent.sensor import Reading
from device_agent.updater import MAX_TRIALS
from device_agent.updates import Setting, Updates
from firmware_sim.cores import core_of
from firmware_sim.elf import read_elf
from firmware_sim.flash import Flash
from firmware_sim.flash_slot import PROGRESS_STEPS
from firmware_sim.flash_store import FlashStore, provision
from firmware_sim.fleet import mcu_hardware
from firmware_sim.geometry import Geometry
from firmware_sim.journal import MIN_BANK_BYTES, MIN_BANKS, Bank
from firmware_sim.layout import layout_of
from firmware_sim.machine import Machine
from firmware_sim.native import ImageInterpreter
from firmware_sim.partitions import Partitions
from firmware_sim.power import Cut, Power, PowerCut
from firmware_sim.toolchain import firmware
from runtimes import open_model
from tests.device_agent.small_bundle import ARENA_BYTES, Bundle, Keys, npy, signed_bundle
from tests.device_agent.test_power_cut import Shelf
from tests.device_agent.tiny_model import CLASSES, INPUT_SHAPE, tiny_model
from wire.manifest import (
    IMAGE_FILE,
    MODEL_FILE,
    TargetNeeds,
    digest_of,
)
from wire.messages import Hardware
from wire.part import part_of
from wire.states import NumericsFamily, Reason, UpdateState
from wire.trust import Assignment, Policy

#: Under ``make soak`` nothing is left out.
SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
BOARD = "nano33ble"
CHUNK_BYTES = 1024
ORDER = [
    UpdateState.QUEUED, UpdateState.DOWNLOADING, UpdateState.DOWNLOADED, UpdateState.VERIFIED,
    UpdateState.INSTALLED, UpdateState.TESTING, UpdateState.CONFIRMED, UpdateState.ROLLED_BACK,
    UpdateState.CANCELED,
]  # fmt: skip


def life_bundle(keys: Keys, version: int, damaged: bool = False) -> Bundle:
    """A model of its own weights and its compiled image, with 12 KB besides to fill some sectors."""
    rng = np.random.default_rng(version)
    inputs = rng.integers(-128, 128, (4, *INPUT_SHAPE), dtype=np.int8)
    interpreter = open_model(NumericsFamily.TFLM, tiny_model(seed=version))
    outputs = np.stack([interpreter.run(window) for window in inputs])
    model = tiny_model(damaged, seed=version)
    files = {
        IMAGE_FILE: compile_image(model).data,
        "golden/tflm.npy": npy(outputs),
        "filler.bin": rng.integers(0, 4, 12_001, dtype=np.uint8).tobytes() + b"\xff" * 600 + bytes(600),
        "golden/inputs.npy": npy(inputs),
        MODEL_FILE: model,
    }
    golden = {NumericsFamily.TFLM: "golden/tflm.npy"}
    needs = TargetNeeds(numerics=NumericsFamily.TFLM, ram_bytes=ARENA_BYTES, flash_bytes=40_000)
    return signed_bundle(keys, version, files, golden, CHUNK_BYTES, {"cortex-m4": needs})


def small_partitions(geometry: Geometry) -> Partitions:
    """The journal's banks and two slots of 32 KB or a few sectors, from the start of a uniform flash."""
    sector_bytes = geometry.sector_at(0).length
    bank_bytes = max(MIN_BANK_BYTES, sector_bytes)
    slot_bytes = max(32 * 1024, 6 * sector_bytes)
    journal = tuple(Bank(index * bank_bytes, bank_bytes) for index in range(MIN_BANKS))
    start = MIN_BANKS * bank_bytes
    return Partitions(journal, Bank(start, slot_bytes), Bank(start + slot_bytes, slot_bytes))


@dataclass(frozen=True)
class Phase:
    """An assignment and how it must end, wherever the power was cut."""

    name: str
    sequence: int
    bundle: Bundle
    ends: UpdateState
    before: Bundle
    running: Bundle
    downloads: bool
    canceled: bool = False
    """Withdrawn during its trial."""


@dataclass
class Tally:
    """What happened in one phase, by all boots together."""

    downloaded_bytes: int = 0
    confirms: int = 0
    reported: list[UpdateState] = field(default_factory=list)

    def copy(self) -> Tally:
        return replace(self, reported=list(self.reported))

    def report(self, saved: u.State, attempt: u.Attempt | None) -> None:
        """A server may be told only what a reboot would know as well."""
        assert attempt == saved.attempt
        if attempt is not None:
            self.reported.append(attempt.state)


class Recorder(Flash):
    """Remembers how the flash and the tally were before each operation, and the operation."""

    def __init__(self, flash: Flash) -> None:
        super().__init__(flash.geometry, flash.seed)
        self.__dict__.update(flash.copy().__dict__)
        self.story: list[tuple[Flash, Tally, str, tuple]] = []
        self.tally = Tally()

    def program(self, address: int, data: bytes) -> None:
        self.story.append((self.copy(), self.tally.copy(), "program", (address, data)))
        super().program(address, data)

    def erase(self, address: int) -> None:
        self.story.append((self.copy(), self.tally.copy(), "erase", (address,)))
        super().erase(address)


class CountedStore(FlashStore):
    """Counts how often a trial turns into a confirmation."""

    def __init__(self, flash: Flash, partitions: Partitions, hardware: Hardware, tally: Tally) -> None:
        super().__init__(flash, partitions, hardware)
        self._tally = tally

    def save(self, state: u.State) -> None:
        before, now = self.load().attempt, state.attempt
        super().save(state)
        if now and now.state is UpdateState.CONFIRMED:
            self._tally.confirms += before is None or before.state is not UpdateState.CONFIRMED


class Life:
    """v1 is confirmed; v2 comes, v1 is wanted again, v2 but not after all, and v3, which fails its self-test.

    Every trial begins in the shadow.
    """

    def __init__(self, keys: Keys) -> None:
        self.v1, self.v2, self.v3 = (life_bundle(keys, n, damaged=n == 3) for n in (1, 2, 3))
        roots = (read_root(keys.folder / f"{name}-root.json") for name in ("image", "director"))
        self.setting = Setting(
            "d",
            mcu_hardware(BOARD),
            *roots,
            now=lambda: datetime.now(UTC),
            open_model=lambda _family, image, limit: ImageInterpreter(image, limit),
        )
        self.birth = Phase("birth", 1, self.v1, UpdateState.CONFIRMED, self.v1, self.v1, downloads=True)
        self.phases = (
            Phase("update", 2, self.v2, UpdateState.CONFIRMED, self.v1, self.v2, downloads=True),
            Phase("revert", 3, self.v1, UpdateState.CONFIRMED, self.v2, self.v1, downloads=False),
            Phase("withdrawn", 4, self.v2, UpdateState.CANCELED, self.v1, self.v1, False, canceled=True),
            Phase("bad update", 6, self.v3, UpdateState.ROLLED_BACK, self.v1, self.v1, downloads=True),
        )
        self._readings = np.zeros(INPUT_SHAPE, np.float32)
        self._emulated: dict[str, bytes] = {}
        self._machine: Machine | None = None

    def born(self, geometry: Geometry, partitions: Partitions, seed: str) -> Flash:
        """A device that left the factory and runs v1."""
        flash = Flash(geometry, seed)
        provision(flash, partitions)
        assert self.live(flash, partitions, self.birth, Tally()).running == self.v1.ref
        return flash

    def live(self, flash: Flash, partitions: Partitions, phase: Phase, tally: Tally) -> u.State:
        """Boot, take the phase's assignment, answer until it has settled; PowerCut when it is dark."""
        return asyncio.run(self._live(flash, partitions, phase, tally))

    async def _live(self, flash: Flash, partitions: Partitions, phase: Phase, tally: Tally) -> u.State:
        answering = Answering(
            passed=lambda attempt: updates.post(u.TrialPassed(attempt)),
            failed=lambda attempt, error: updates.fail(attempt, error, None),
            closed=lambda window: None,
        )
        counters: Counter[str] = Counter()
        store = CountedStore(flash, partitions, self.setting.hardware, tally)
        shelf = Shelf(self.v1, self.v2, self.v3)
        report = lambda attempt: tally.report(store.load(), attempt)  # noqa: E731
        updates = Updates(self.setting, store, shelf, answering, counters, report)  # type: ignore[arg-type]
        updates.post(u.Booted())
        had = updates.state.running
        updates.post(u.Assigned(self.assignment(phase)))
        earlier_bytes = tally.downloaded_bytes
        for step in range(100_000):
            answering.answer(Reading(step, step, self._readings, None))
            assert answering.answers or had is None
            tally.downloaded_bytes = earlier_bytes + counters["downloaded_bytes"]
            if not flash.power.on:
                await updates.stop()
                raise PowerCut
            attempt = updates.state.attempt
            if attempt and attempt.settled:
                await updates.stop()
                return updates.state
            if phase.canceled and attempt and attempt.state is UpdateState.TESTING:
                updates.post(u.Assigned(self.cancellation(phase)))
            await asyncio.sleep(0)
        raise AssertionError(f"never settled: {updates.state}")

    def assignment(self, phase: Phase) -> Assignment:
        return Assignment(
            device="d",
            sequence=phase.sequence,
            attempt=f"t{phase.sequence}",
            bundle=phase.bundle.ref,
            policy=Policy(trial_inferences=2, shadow_inferences=2, shadow_per_mille=1000),
        )

    def cancellation(self, phase: Phase) -> Assignment:
        wanted = self.assignment(phase)
        return replace_struct(wanted, sequence=phase.sequence + 1, policy=Policy(cancel=True))

    def check_confirmed(self, flash: Flash, partitions: Partitions) -> u.State:
        """Boot: a model is confirmed, all its bytes are there, and the emulated core answers with them."""
        store = FlashStore(flash, partitions, self.setting.hardware)
        state = store.load()
        assert state.confirmed is not None
        assert state.running is not None
        place = partitions.a if state.confirmed == "a" else partitions.b
        bundle = next(b for b in (self.v1, self.v2, self.v3) if b.ref == state.running)
        assert bundle is not self.v3
        part = part_of(bundle.manifest, self.setting.hardware)
        assert flash.read(place.start, part.length) == bundle.payload[part.start : part.end]
        content = store.slot(state.confirmed).load(state.running.digest)
        outputs = read_npy(content.files["golden/tflm.npy"], (CLASSES,))
        assert self.emulated(content.files) == outputs.tobytes()
        return state

    def emulated(self, files: dict[str, bytes]) -> bytes:
        """Answers of the emulated core to the golden inputs; one run for each distinct image."""
        image, inputs = files[IMAGE_FILE], files["golden/inputs.npy"]
        key = digest_of(image + inputs)
        if key not in self._emulated:
            self._emulated[key] = self._run(image, inputs)
        return self._emulated[key]

    def _run(self, image: bytes, inputs: bytes) -> bytes:
        board = boards.load(BOARD)
        core, layout = core_of(board.target), layout_of(board)
        header = compile_image(tiny_model()).header
        symbols = {**layout.symbols(), "ARENA_BYTES": header.arena_bytes}
        machine = Machine(core, layout, read_elf(firmware(core.compiler_cpu, symbols, image)))
        machine.write(layout.slot_origin, image)
        machine.bind(layout.slot_origin, len(image))
        arena = machine.elf.symbols["arena_start"]
        answers = []
        for window in read_npy(inputs, INPUT_SHAPE):
            machine.write(arena + header.input_at, window.tobytes())
            machine.invoke()
            answers.append(machine.read(arena + header.output_at, header.output_bytes))
        return b"".join(answers)


@dataclass(frozen=True)
class Case:
    """A flash as one cut has left it, and what had happened until then."""

    phase: Phase
    at: int
    cut: Cut
    flash: Flash
    tally: Tally

    def __str__(self) -> str:
        return f"{self.phase.name}, operation {self.at}, {self.cut}"


class Sweep:
    """All cuts of one life on one geometry."""

    def __init__(self, life: Life, geometry: Geometry, partitions: Partitions | None = None) -> None:
        self.life = life
        self.geometry = geometry
        self.partitions = partitions or small_partitions(geometry)
        flash = life.born(geometry, self.partitions, "sweep")
        self.stories: list[tuple[Phase, list]] = []
        for phase in life.phases:
            recorder = Recorder(flash)
            recorder.power_on(Power())
            state = life.live(recorder, self.partitions, phase, recorder.tally)
            self.check_end(phase, state, recorder, recorder.tally)
            assert (recorder.tally.downloaded_bytes > 0) is phase.downloads
            self.stories.append((phase, recorder.story))
            flash = recorder.copy()

    @property
    def operations(self) -> int:
        return sum(len(story) for _, story in self.stories)

    def cases(self, stride: int = 1) -> Iterator[Case]:
        """Each operation of the life with each way to cut it; with a stride, every so many-th."""
        number = 0
        for phase, story in self.stories:
            for at, (flash, tally, operation, arguments) in enumerate(story, 1):
                for cut in Cut:
                    number += 1
                    if number % stride:
                        continue
                    left = flash.copy()
                    left.power = Power(lambda _number, cut=cut: cut)
                    with pytest.raises(PowerCut):
                        getattr(left, operation)(*arguments)
                    yield Case(phase, at, cut, left, tally.copy())

    def recover(self, case: Case, *more_cuts: Power, rest: bool = False) -> None:
        """Boot twice, then live on to the phase's end, with more cuts, and with ``rest`` to the life's."""
        flash, partitions, phase = case.flash, self.partitions, case.phase
        flash.power_on(Power())
        found = self.life.check_confirmed(flash, partitions)
        flash.power_on(Power())
        assert self.life.check_confirmed(flash, partitions) == found, "a boot changed its mind"
        cuts = 1
        for power in more_cuts:
            flash.power_on(power)
            with suppress(PowerCut):
                self.life.live(flash, partitions, phase, case.tally)
            cuts += not power.on
        flash.power_on(Power())
        state = self.life.live(flash, partitions, phase, case.tally)
        self.check_end(phase, state, flash, case.tally, cuts)
        flash.power_on(Power())
        assert self.life.check_confirmed(flash, partitions) == state
        for later in self.life.phases[self.life.phases.index(phase) + 1 :] if rest else ():
            flash.power_on(Power())
            tally = Tally()
            state = self.life.live(flash, partitions, later, tally)
            self.check_end(later, state, flash, tally)

    def check_end(self, phase: Phase, state: u.State, flash: Flash, tally: Tally, cuts: int = 0) -> None:
        assert state.attempt
        assert state.attempt.id == f"t{phase.sequence}"
        if state.attempt.reason is Reason.TRIAL_INTERRUPTED:  # the update's own rule: two trials at most
            assert cuts >= MAX_TRIALS
            assert (state.attempt.state, state.running) == (UpdateState.ROLLED_BACK, phase.before.ref)
        else:
            assert (state.attempt.state, state.running) == (phase.ends, phase.running.ref)
        ranks = [ORDER.index(state) for state in tally.reported]
        assert ranks == sorted(ranks), "a report that the next one takes back"
        assert tally.confirms <= (phase.ends is UpdateState.CONFIRMED)
        assert flash.faults == 0
        part = part_of(phase.bundle.manifest, self.life.setting.hardware)
        payload, sector = part.length, max(length for _, length in self.geometry.regions)
        lost = payload // PROGRESS_STEPS + sector + self.geometry.write_bytes + CHUNK_BYTES
        assert tally.downloaded_bytes <= (payload + cuts * lost if phase.downloads else 0)
