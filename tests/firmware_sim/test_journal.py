"""The journal against a model of it, with the power going anywhere, any number of times."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from firmware_sim.flash import Flash
from firmware_sim.geometry import Geometry
from firmware_sim.journal import Bank, Journal
from firmware_sim.power import Cut, Power, PowerCut
from wire.errors import StoreError

GEOMETRIES = (
    Geometry(((20, 64),), 4),
    Geometry(((20, 64),), 4, 0x00),
    Geometry(((5, 256),), 32),
    Geometry(((40, 32),), 8),
)
BANK_BYTES = 256


def banks(count: int) -> list[Bank]:
    return [Bank(index * BANK_BYTES, BANK_BYTES) for index in range(count)]


class JournalModel(RuleBasedStateMachine):
    """What may be found: the last acknowledged record, or one that was on its way at a cut since."""

    @initialize(geometry=st.sampled_from(GEOMETRIES), count=st.integers(4, 5), seed=st.integers(0, 10_000))
    def made(self, geometry: Geometry, count: int, seed: int) -> None:
        self.flash = Flash(geometry, str(seed))
        self.banks = banks(count)
        self.journal = Journal(self.flash, self.banks)
        assert self.journal.last is None
        self.journal.append(b"first")
        self.may_be = {b"first"}
        self.dark = False

    @precondition(lambda self: not self.dark)
    @rule(data=st.binary(max_size=100), at=st.integers(1, 6), cut=st.none() | st.sampled_from(Cut))
    def append(self, data: bytes, at: int, cut: Cut | None) -> None:
        self._cut_after(at, cut)
        try:
            self.journal.append(data)
            self.may_be = {data}
        except PowerCut:
            self.may_be.add(data)
            self.dark = True

    @rule(at=st.integers(1, 12), cut=st.none() | st.sampled_from(Cut))
    def boot(self, at: int, cut: Cut | None) -> None:
        """As every device does: what was found is written again before anything is done about it."""
        self.flash.power_on(Power())
        self._cut_after(at, cut)
        self.journal = Journal(self.flash, self.banks)
        found = self.journal.last
        assert found in self.may_be
        assert found is not None
        try:
            self.journal.append(found)
            self.may_be, self.dark = {found}, False
        except PowerCut:
            self.dark = True

    @rule()
    def look(self) -> None:
        """Power-ons without a boot."""
        self.flash.power_on(self.flash.power)
        assert Journal(self.flash, self.banks).last in self.may_be

    def _cut_after(self, at: int, cut: Cut | None) -> None:
        self.flash.power = Power(lambda number: cut if number >= at else None)

    def teardown(self) -> None:
        if hasattr(self, "flash"):
            assert self.flash.faults == 0


TestJournal = JournalModel.TestCase


def test_the_banks_wear_evenly() -> None:
    flash = Flash(GEOMETRIES[0])
    journal = Journal(flash, banks(4))
    for number in range(400):
        journal.append(b"%040d" % number)
    assert journal.last == b"%040d" % 399
    assert max(flash.erases.values()) - min(flash.erases.values()) <= 1


def test_a_record_that_no_bank_has_room_for_is_refused_and_the_last_stays() -> None:
    flash = Flash(GEOMETRIES[0])
    journal = Journal(flash, banks(4))
    journal.append(b"small")
    with pytest.raises(StoreError, match="fit"):
        journal.append(bytes(BANK_BYTES - 39))
    assert journal.last == b"small"
    assert Journal(flash, banks(4)).last == b"small"
