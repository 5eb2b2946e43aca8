"""The boot rules: a trial is tried once, and whatever happens a confirmed image answers again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.smp.boot import BootRecord, Pending, boot, confirm, try_next

BOTH = (True, True)
START = BootRecord(whole=True)


def mark(record, *, permanent=False):
    return try_next(record, permanent=permanent)


def test_nothing_pending_boots_the_same_slot():
    assert boot(START, BOTH) == START
    assert boot(BootRecord(active=1, whole=True), BOTH) == BootRecord(active=1, whole=True)


def test_a_test_is_a_trial_of_the_other_slot():
    assert boot(mark(START), BOTH) == BootRecord(active=1, confirmed=False, whole=True)


def test_a_trial_that_nobody_confirms_goes_back_at_the_next_reset():
    on_trial = boot(mark(START), BOTH)
    assert boot(on_trial, BOTH) == START


def test_a_confirmed_trial_stays():
    on_trial = boot(mark(START), BOTH)
    assert boot(confirm(on_trial), BOTH) == BootRecord(active=1, whole=True)


def test_permanent_needs_no_trial():
    assert boot(mark(START, permanent=True), BOTH) == BootRecord(active=1, whole=True)


@pytest.mark.parametrize("permanent", [False, True])
def test_an_unsound_image_is_not_tried(permanent):
    assert boot(mark(START, permanent=permanent), (True, False)) == START


def test_what_was_not_programmed_to_its_end_is_not_tried_however_well_it_reads():
    assert boot(mark(BootRecord()), BOTH) == BootRecord()
    assert boot(BootRecord(), (False, True)) == BootRecord()


def test_a_slot_that_rotted_is_left_for_the_sound_one():
    assert boot(START, (False, True)) == BootRecord(active=1, whole=True)


def test_the_fallback_of_a_trial_is_needed():
    assert not START.other_is_needed
    assert mark(START).other_is_needed
    assert boot(mark(START), BOTH).other_is_needed


EVENTS = st.lists(st.sampled_from(["test", "permanent", "confirm", "reset"]), max_size=12)


@given(EVENTS)
def test_two_resets_without_a_word_always_end_confirmed(events):
    record = START
    for event in events:
        if event == "reset":
            record = boot(record, BOTH)
        elif event == "confirm":
            record = confirm(record)
        elif not record.other_is_needed:
            record = mark(record, permanent=event == "permanent")
    settled = boot(boot(record, BOTH), BOTH)
    assert settled.confirmed
    assert settled.pending is Pending.NOTHING
    assert boot(settled, BOTH) == settled
