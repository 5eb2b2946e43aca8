"""A filter means what it says, is never run as code, and its errors say where they are."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_server.device_filter import Device, matches, parse
from fleet_server.filter_expression import And, Compare, Expression, Not, Or
from fleet_server.filter_syntax import MAX_NESTING, MAX_TEXT
from tests.fleet_server.filters import DEVICES, FILTERS, ODD_FILTERS, sqlite_says
from wire.errors import InputError

DOCS = Path(__file__).parents[2] / "docs" / "filters.md"
PI = Device(
    device="pi-7", presence="online", board="rpi-4", target="linux-aarch64", runtime="litert 2.1",
    ram_bytes=4_000_000, flash_bytes=8_000_000, model="watch", version=2,
    tags={"group": ("kitchen", "lab"), "region": ("eu",), "site": ("O'Hare",)},
)  # fmt: skip
BLANK = Device(device="new-1", presence="offline")
PIECES = st.sampled_from(
    ["board", "version", "tag.site", "group", "==", "!=", "<", ">=", "'a'", '"b"', "3", "in", "not", "like",
     "has", "and", "or", "(", ")", ",", "'", "tag.", "=", "-"]
)  # fmt: skip


@given(FILTERS)
def test_what_is_printed_is_read_back_the_same(expression: Expression) -> None:
    assert parse(str(expression)) == expression


@given(ODD_FILTERS)
def test_any_text_survives_its_quotes(expression: Expression) -> None:
    assert parse(str(expression)) == expression


@given(st.text(max_size=60) | st.lists(PIECES, max_size=12).map(" ".join))
def test_no_text_does_anything_but_parse_or_be_refused_with_its_column(text: str) -> None:
    read = _parsed(text)
    if isinstance(read, InputError):
        where = re.match(r"filter: column (\d+): \S", read.message)
        assert where, read.message
        assert 1 <= int(where[1]) <= len(text) + 1
        assert read.message.isprintable()
        assert read.hint
    else:
        assert parse(str(read)) == read
        matches(read, PI)


def _parsed(text: str) -> Expression | InputError:
    try:
        return parse(text)
    except InputError as error:
        return error


@given(FILTERS, DEVICES)
def test_a_filter_chooses_what_sqlite_would_choose(expression: Expression, device: Device) -> None:
    assert matches(expression, device) is sqlite_says(expression, device)


@pytest.mark.parametrize(
    "text",
    [
        "device == 'pi-7'", "presence == 'online'", 'board in ("rpi-4", "rpi-5")',
        "board not in ('nano33ble')", "board like 'rpi-*'", "board like 'rpi-[45]'", "board like 'rpi-?'",
        "not board like 'rpi'",
        "version == 2", "version != 3", "version < 3 and version <= 2 and version > 1 and version >= 2",
        "ram_bytes > -1", "group == 'lab'", "group in ('office', 'kitchen')", "group != 'office'",
        "region == 'eu'", "tag.region == 'eu'", "tag.site == 'O''Hare'", '''tag.site == "O'Hare"''',
        "has tag.site and has group and has version and not has tag.floor",
        "board == 'x' or version == 2 and region == 'eu'", "not (board == 'x' or version == 3)",
        "not board == 'x' and version == 2",
    ],
)  # fmt: skip
def test_these_filters_choose_the_raspberry_pi(text: str) -> None:
    assert matches(parse(text), PI)


@pytest.mark.parametrize(
    "text",
    ["group != 'kitchen'", "group not in ('lab')", "board like 'RPI-*'", "board like 'pi'", "version > 2",
     "tag.site == 'o''hare'", "model == 'watch' and (version == 1 or version == 3)", "not has region"],
)  # fmt: skip
def test_these_filters_leave_the_raspberry_pi_out(text: str) -> None:
    assert not matches(parse(text), PI)


@pytest.mark.parametrize(
    "comparison",
    ["board == 'x'", "board != 'x'", "board in ('x')", "board not in ('x')", "board like '*'", "has board",
     "version < 3", "version != 3", "version not in (3)", "group != 'lab'", "tag.site != 'x'"],
)  # fmt: skip
def test_a_comparison_with_a_missing_value_is_false_and_not_turns_it(comparison: str) -> None:
    assert not matches(parse(comparison), BLANK)
    assert matches(parse(f"not {comparison}"), BLANK)


def test_and_binds_closer_than_or_and_not_closer_than_both() -> None:
    a, b, c = (Compare("version", "==", n) for n in (1, 2, 3))
    assert parse("version == 1 or version == 2 and not version == 3") == Or((a, And((b, Not(c)))))
    assert str(And((Or((a, b)), c))) == "(version == 1 or version == 2) and version == 3"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("board ==", "column 9: expected a value after '=='"),
        ("board ==   ", "column 9: expected a value after '=='"),
        ("board = 'x'", "column 7: expected '==', not '='"),
        ("board == rpi-4", "column 10: expected text in quotes after '==', not 'rpi-4'"),
        ("board == 'x", "column 10: this text has no closing '"),
        ("bord == 'x'", "column 1: there is no field 'bord'"),
        ("board < 'x'", "column 7: expected == != like in or not in (board is text) after 'board', not '<'"),
        ("version == '2'", "column 12: expected a whole number of at most 15 digits after '==', not '2'"),
        ("version == 2.5", "column 13: cannot read '.'"),
        ("version == 1234567890123456", "column 12: expected a whole number of at most 15 digits"),
        ("region not 'x'", "column 12: expected 'in' after 'not', not 'x'"),
        ("board in 'x'", "column 10: expected '(' after 'in', not 'x'"),
        ("board in ()", "column 11: expected text in quotes after '(', not ')'"),
        ("board in ('x'", "column 14: expected ',' or ')' after 'x'"),
        ("(has board", "column 11: expected 'and', 'or' or ')' after 'board'"),
        ("has board has group", "column 11: expected 'and', 'or' or the end after 'board', not 'has'"),
        ("has and", "column 5: expected a field after 'has', not 'and'"),
        ("tag.a.b == 'x'", "column 1: 'tag.a.b' cannot be a tag"),
        (f"has tag.{'n' * 65}", "column 5: 'tag.nnn"),
        ("", "column 1: expected a field, 'has', 'not' or '('"),
        ("__import__('os')", "column 1: cannot read '_'"),
    ],
)
def test_an_error_says_where_it_is_and_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        parse(text)
    assert refused.value.message.startswith(f"filter: {message}")


def test_length_and_nesting_have_limits() -> None:
    fits = "has board".ljust(MAX_TEXT)
    assert parse(fits)
    with pytest.raises(InputError, match="longer than 2000 characters"):
        parse(fits + " ")
    for opening, closing in (("(", ")"), ("not ", "")):
        assert parse(opening * MAX_NESTING + "has board" + closing * MAX_NESTING)
        with pytest.raises(InputError, match="nested deeper than 32"):
            parse(opening * (MAX_NESTING + 1) + "has board" + closing * (MAX_NESTING + 1))


def test_the_widest_filter_and_the_worst_pattern_are_answered_at_once() -> None:
    """The worst pattern for an engine that backtracks would outlive the timeout of this test by far."""
    wide = " or ".join(["version==1"] * 142)
    stars = f"tag.site like '{'*a' * 900}b'"
    victim = Device(device="d", presence="online", version=2, tags={"site": ("a" * 128,)})
    begin = time.perf_counter()
    assert not matches(parse(wide), victim)
    assert not matches(parse(stars), victim)
    assert not matches(parse(f"tag.site like '{'*a' * 60}b'"), victim)
    assert time.perf_counter() - begin < 5


def test_the_examples_of_the_documentation_are_canonical_text() -> None:
    (block,) = re.findall(r"```filter\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert len(block.splitlines()) >= 7
    for example in block.splitlines():
        assert str(parse(example)) == example


def test_the_documentation_shows_the_error_as_it_is() -> None:
    (text, shown) = re.findall(r'--filter "(.*)"\ntinyfleet: (.*)\n', DOCS.read_text())[0]
    with pytest.raises(InputError) as refused:
        parse(text)
    assert str(refused.value) == shown
