"""Pictures: well-formed SVG whose marks are where the values are."""

import xml.etree.ElementTree as ET

import pytest

from tinyfleet.bench.axis import Axis
from tinyfleet.bench.picture import COLOURS, Bars, Line, bar_chart, line_chart

SVG = "{http://www.w3.org/2000/svg}"
LINEAR = Axis("devices", 0, 500)
SHARE = Axis("share", 0, 1, percent=True)


def found(picture: str, kind: str) -> list[dict[str, str]]:
    root = ET.fromstring(picture)  # noqa: S314 - our own text
    return [element.attrib for element in root.iter(SVG + kind)]


def words(picture: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(picture).iter(SVG + "text")]  # noqa: S314


@pytest.mark.parametrize(
    ("axis", "marks"),
    [
        (Axis("", 0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (LINEAR, [0, 100, 200, 300, 400, 500]),
        (Axis("", -3, 3), [-3, -2, -1, 0, 1, 2, 3]),
        (Axis("", 0.04, 0.061), [0.04, 0.045, 0.05, 0.055, 0.06]),
        (Axis("", 1, 500, log=True), [1, 2, 5, 10, 20, 50, 100, 200, 500]),
        (Axis("", 1, 10_000, log=True), [1, 10, 100, 1000, 10_000]),
        (Axis("", 3, 70, log=True), [5, 10, 20, 50]),
    ],
)
def test_marks_are_round_and_inside(axis: Axis, marks: list[float]):
    assert axis.marks() == pytest.approx(marks)


def test_a_logarithmic_axis_gives_each_decade_the_same_room():
    axis = Axis("", 1, 1000, log=True)
    assert [axis.share(value) for value in (1, 10, 100, 1000)] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert axis.share(0) == 0, "what is not above 0 is put at the lower end"


def test_a_line_passes_through_its_points_and_its_error_bars_span_theirs():
    picture = line_chart(
        "t", LINEAR, SHARE, [Line("a", [0, 250, 500], [0, 0.5, 1], [0, 0.25, 1], [0, 0.75, 1])]
    )
    (line,) = found(picture, "polyline")
    points = [tuple(map(float, point.split(","))) for point in line["points"].split()]
    (left, bottom), (middle, half), (right, top) = points
    assert middle == pytest.approx((left + right) / 2, abs=0.1)
    assert half == pytest.approx((bottom + top) / 2, abs=0.1)
    assert bottom > top, "SVG counts downwards"
    spans = [
        (float(each["y1"]), float(each["y2"]))
        for each in found(picture, "line")
        if each["stroke"] == COLOURS[0] and float(each["x1"]) == middle == float(each["x2"])
    ]
    assert spans == [
        (
            pytest.approx(bottom + (top - bottom) / 4, abs=0.1),
            pytest.approx(top - (top - bottom) / 4, abs=0.1),
        )
    ]


def test_lines_are_told_apart_without_colour():
    picture = line_chart("t", LINEAR, SHARE, [Line(name, [0, 1], [0, 1]) for name in "abc"])
    looks = [line.get("stroke-dasharray") for line in found(picture, "polyline")]
    assert len(set(looks)) == 3


def test_bars_are_as_high_as_their_values_and_dots_at_theirs():
    picture = bar_chart(
        "t", "x", ["1", "2"], SHARE, [Bars("old", [0.25, 1.0], [[0.25], [1.0]]), Bars("new", [0.5, 0])]
    )
    bars = [each for each in found(picture, "rect") if float(each["height"]) not in (7, 420)]
    heights = {(each["fill"], float(each["x"])): float(each["height"]) for each in bars}
    assert sorted(heights.values()) == pytest.approx([0, 75, 150, 300], abs=0.1)
    whole = next(each for each in bars if float(each["height"]) == 300)
    tops = [float(dot["cy"]) for dot in found(picture, "circle")]
    assert tops[1] == pytest.approx(float(whole["y"]), abs=0.1)
    assert tops[0] == pytest.approx(float(whole["y"]) + 225, abs=0.1)


def test_names_are_escaped_and_the_same_data_give_the_same_bytes():
    def draw() -> str:
        return line_chart("a < b & c", LINEAR, SHARE, [Line("<new>", [1], [0.5])])

    assert {"a < b & c", "<new>", "devices", "share"} <= set(words(draw()))
    assert draw() == draw()
