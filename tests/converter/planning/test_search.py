"""Plans of buffers alone: valid, no worse than TFLM's, and optimal where they say so."""

from itertools import permutations
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from converter.planning.buffers import ALIGNMENT, Buffer
from converter.planning.core import peel
from converter.planning.exact import within
from converter.planning.placement import greedy, height, lower_bound, neighbours, overlaps, place
from converter.planning.search import search
from wire.errors import RefusedError


def buffers(most: int, sizes: int = 60, scopes: int = 12) -> st.SearchStrategy[list[Buffer]]:
    row = st.tuples(st.integers(1, sizes), st.integers(0, scopes), st.integers(0, 5))
    return st.lists(row, max_size=most).map(
        lambda rows: [
            Buffer(index, size * ALIGNMENT, first, first + length)
            for index, (size, first, length) in enumerate(rows)
        ]
    )


def cut_up(dice: Random, cuts: int, scopes: int = 20, units: int = 64) -> list[Buffer]:
    """A full block of memory cut into buffers: a plan without a gap exists, and is hard to find."""
    blocks = [(0, scopes, 0, units)]
    for _ in range(cuts):
        first, end, low, high = blocks.pop(dice.randrange(len(blocks)))
        if dice.random() < 0.5 and end - first > 1:
            middle = dice.randint(first + 1, end - 1)
            blocks += [(first, middle, low, high), (middle, end, low, high)]
        elif high - low > 1:
            middle = dice.randint(low + 1, high - 1)
            blocks += [(first, end, low, middle), (first, end, middle, high)]
        else:
            blocks.append((first, end, low, high))
    dice.shuffle(blocks)
    return [
        Buffer(index, (high - low) * ALIGNMENT, first, end - 1)
        for index, (first, end, low, high) in enumerate(blocks)
    ]


@given(found=buffers(most=24))
def test_any_set_of_buffers_gets_a_valid_plan_between_bound_and_greedy(found: list[Buffer]):
    plan = search(found, steps=300)
    assert overlaps(found, plan.offsets) == []
    assert set(plan.offsets) == {buffer.tensor for buffer in found}
    assert all(offset >= 0 and offset % ALIGNMENT == 0 for offset in plan.offsets.values())
    assert plan.lower_bound <= plan.head <= plan.greedy_head
    assert plan.head == height(found, plan.offsets)
    assert plan.greedy_head == height(found, greedy(found))
    assert plan == search(found, steps=300), "the same file gives the same plan"


@settings(max_examples=settings.default.max_examples // 2)
@given(found=buffers(most=6, sizes=5, scopes=5))
def test_no_order_of_placement_beats_a_plan_that_is_called_optimal(found: list[Buffer]):
    plan = search(found)
    assert plan.optimal
    near = neighbours(found)
    assert plan.head == min(height(found, place(order, near)) for order in permutations(found))


@given(found=buffers(most=12, sizes=8, scopes=6), above=st.integers(0, 4))
def test_what_is_set_aside_fits_wherever_the_rest_lies(found: list[Buffer], above: int):
    limit = lower_bound(found) + above * ALIGNMENT
    near = neighbours(found)
    groups, easy = peel(found, near, limit)
    assert sorted([*easy, *(one for group in groups for one in group)]) == sorted(found)
    hard = [one for group in groups for one in group]
    upside_down = {t: limit - o - s for (t, s, *_), o in zip(hard, place(hard, near).values(), strict=True)}
    if all(offset >= 0 for offset in upside_down.values()):
        assert height(easy, place(easy, near, upside_down)) <= limit


@settings(max_examples=settings.default.max_examples // 2)
@given(dice=st.randoms(use_true_random=False), cuts=st.integers(1, 24))
def test_a_plan_without_gaps_is_found_where_there_is_one(dice: Random, cuts: int):
    found = cut_up(dice, cuts)
    plan = search(found)
    assert (plan.head, plan.proof) == (64 * ALIGNMENT, "bound")


def test_where_the_bound_cannot_be_reached_all_smaller_plans_are_ruled_out():
    rows = [(2, 2, 4), (3, 0, 2), (3, 1, 1), (1, 2, 3), (4, 5, 5), (2, 4, 5), (2, 3, 4), (1, 3, 3), (3, 0, 0)]
    found = [Buffer(i, size * ALIGNMENT, first, last) for i, (size, first, last) in enumerate(rows)]
    plan = search(found)
    assert (plan.lower_bound, plan.head, plan.greedy_head, plan.proof) == (96, 112, 144, "exhaustion")
    assert plan.optimal
    assert within(found, 96, budget=10**6).impossible


def test_a_spent_budget_proves_nothing():
    found = cut_up(Random(3), 100, scopes=8, units=256)
    plan = search(found, steps=10)
    assert not plan.optimal
    assert plan.lower_bound < plan.head <= plan.greedy_head
    assert overlaps(found, plan.offsets) == []


def mobile_buffers() -> list[Buffer]:
    """Activations of MobileNet v1 0.25 on 96x96x3, as its published layer table has them."""
    sides = [(48, 8), (48, 8), (48, 16), (24, 16), (24, 32), (24, 32), (24, 32), (12, 32), (12, 64)]
    sides += [(12, 64), (12, 64), (6, 64), (6, 128)] + [(6, 128)] * 10 + [(3, 128)] + [(3, 256)] * 3
    sizes = [96 * 96 * 3, *(side * side * channels for side, channels in sides)]
    return [Buffer(scope, size, scope, scope + 1) for scope, size in enumerate(sizes)]


def test_a_mobilenet_gets_a_quarter_off_its_head_and_the_bound_proves_it_optimal():
    plan = search(mobile_buffers())
    assert (plan.greedy_head, plan.head, plan.lower_bound) == (73_728, 55_296, 55_296)
    assert plan.proof == "bound"


@pytest.mark.parametrize("seed", range(3))
def test_five_hundred_operators_with_long_skips_reach_the_bound(seed: int):
    dice = Random(seed)
    chain = [Buffer(i, ALIGNMENT * dice.randint(1, 4000), i, i + 1) for i in range(500)]
    starts = [dice.randrange(480) for _ in range(40)]
    skips = [
        Buffer(500 + i, ALIGNMENT * dice.randint(1, 900), first, first + dice.randint(2, 19))
        for i, first in enumerate(starts)
    ]
    assert search([*chain, *skips]).proof == "bound"


def test_more_tensors_than_a_plan_can_be_made_for_are_refused():
    with pytest.raises(RefusedError, match="2,048 tensors"):
        search([Buffer(i, 16, 0, 0) for i in range(2049)])
