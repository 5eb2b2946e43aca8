"""Splits are by group, and no wish reaches into the held-out ones."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from trainer.split import choose, parse_groups
from wire.errors import InputError

EVERYONE = tuple(str(number) for number in range(1, 11))
HELD_OUT = {"validation": ("7",), "test": ("8", "9", "10")}


@given(st.integers(1, 6))
def test_no_group_is_in_two_parts(count: int):
    split = choose(EVERYONE, **HELD_OUT, train=count)
    parts = [set(split.train), set(split.validation), set(split.test)]
    assert len(split.train) == count
    assert sum(map(len, parts)) == len(set.union(*parts))


def test_fewer_groups_are_part_of_more():
    few, more = (choose(EVERYONE, **HELD_OUT, train=count).train for count in (3, 6))
    assert set(few) < set(more)


def test_all_free_groups_by_default():
    assert choose(EVERYONE, **HELD_OUT).train == EVERYONE[:6]


@pytest.mark.parametrize("wish", [0, 7, -1, [], ["7"], ["1", "8"], ["11"]])
def test_a_wish_for_held_out_or_unknown_groups_is_refused(wish):
    with pytest.raises(InputError, match="cannot train on"):
        choose(EVERYONE, **HELD_OUT, train=wish)


@pytest.mark.parametrize(("text", "wish"), [("3", 3), ("1,2, 5", ["1", "2", "5"]), ("anna,", ["anna"])])
def test_groups_as_text(text: str, wish):
    assert parse_groups(text) == wish


@pytest.mark.parametrize("text", ["", "many", "1.5"])
def test_text_that_is_no_groups(text: str):
    with pytest.raises(InputError):
        parse_groups(text)
