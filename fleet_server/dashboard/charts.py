"""Charts: drawn as SVG in the colours of the stylesheet, so that they follow light and dark by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from nicegui import ui

from fleet_server.dashboard import format as fmt
from fleet_server.dashboard.parts import card, text
from fleet_server.store import Row

_COLOURS: Final = 6
_FONT: Final = "Roboto, system-ui, sans-serif"
_INK: Final = {"color": "var(--ink2)", "fontSize": 12, "fontFamily": _FONT}
_LINE: Final = {"lineStyle": {"color": "var(--line)"}}
_TOOLTIP: Final = {
    "backgroundColor": "var(--card)",
    "borderColor": "var(--line)",
    "textStyle": {"color": "var(--ink)", "fontSize": 12},
    "confine": True,
}
_TIMES: Final = {
    **_INK,
    "hideOverlap": True,
    "formatter": {
        "year": "{yyyy}", "month": "{MMM}", "day": "{d} {MMM}", "hour": "{HH}:{mm}", "minute": "{HH}:{mm}",
        "second": "{HH}:{mm}:{ss}",
    },
}  # fmt: skip
_MICROSECONDS: Final = (
    "v => v >= 1e6 ? +(v / 1e6).toPrecision(3) + ' s' "
    ": v >= 1e3 ? +(v / 1e3).toPrecision(3) + ' ms' : +(+v).toPrecision(3) + ' µs'"
)


class Chart:
    """A titled chart, or the reason why there is none yet."""

    def __init__(self, title: str, empty: str) -> None:
        self._card = card(title)
        with self._card:
            self._empty = text(empty, "empty")
        self._title = title
        self._chart: ui.echart | None = None
        self._options: dict[str, Any] = {}

    def show(self, options: dict[str, Any] | None, height_px: int = 260) -> None:
        """Draw ``options``, when they have changed; None while there is nothing to draw."""
        self._empty.visible = options is None
        if options is None or options == self._options:
            return
        self._options = options
        if self._chart is None:
            with self._card:
                self._chart = ui.echart(dict(options), renderer="svg").classes("chart")
                self._chart.props(f'role=img aria-label="{self._title}"')
        else:
            self._chart.options.clear()
            self._chart.options.update(options)
            self._chart.update()
        self._chart.style(f"height: {height_px}px")


def accuracy(rows: Sequence[Row], order: Sequence[tuple[str, int]]) -> dict[str, Any] | None:
    """Accuracy over time, a line a version; None without a labelled inference."""
    lines: dict[tuple[str, int], list[list[float]]] = {}
    for row in rows:
        if row["labelled"]:
            point = [row["minute"] * 60_000, 100 * row["correct"] / row["labelled"]]
            lines.setdefault((row["model"], row["version"]), []).append(point)
    if not lines:
        return None
    return {
        **_base([fmt.version(*key) for key in lines]),
        "tooltip": {**_TOOLTIP, "trigger": "axis", ":valueFormatter": "v => v.toFixed(1) + ' %'"},
        "xAxis": {"type": "time", "axisLabel": _TIMES, "axisLine": _LINE, "splitNumber": 4},
        "yAxis": _axis("value", min=0, max=100, axisLabel={**_INK, "formatter": "{value} %"}),
        "series": [
            {
                "name": fmt.version(*key), "type": "line", "data": points, "showSymbol": len(points) < 40,
                "symbol": "circle", "symbolSize": 5, "lineStyle": {"width": 2},
                "color": _colour(order.index(key)), "emphasis": {"disabled": True},
            }
            for key, points in lines.items()
        ],
    }  # fmt: skip


def latency(rows: Sequence[Row]) -> dict[str, Any] | None:
    """p50 and p99 by version, board and clock on a logarithmic axis; None without an inference."""
    shown = [row for row in reversed(rows) if row["p50_us"] is not None]
    if not shown:
        return None
    names = [f"{fmt.version(row['model'], row['version'])} {row['board']}, {row['clock']}" for row in shown]
    named = list(zip(shown, names, strict=True))
    return {
        **_base(["p50", "p99"]),
        "tooltip": {**_TOOLTIP, "trigger": "item", ":valueFormatter": f"v => ({_MICROSECONDS})(v[0] ?? v)"},
        "xAxis": _axis("log", axisLabel={**_INK, ":formatter": _MICROSECONDS, "hideOverlap": True}),
        "yAxis": _axis("category", data=names, axisLabel=_INK, axisTick={"show": False}),
        "series": [
            *(_span(row, name) for row, name in named),
            _points("p50", "circle", [[row["p50_us"], name] for row, name in named]),
            _points("p99", "diamond", [[row["p99_us"], name] for row, name in named]),
        ],
    }  # fmt: skip


def latency_height_px(options: dict[str, Any] | None) -> int:
    """Room for every version."""
    return 90 + 44 * len(options["yAxis"]["data"]) if options else 0


def windows(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Accuracy of one device's windows in order of arrival."""
    as_minutes = [{**row, "minute": row["received_at"] / 60} for row in sorted(rows, key=_received)]
    return accuracy(as_minutes, sorted({(row["model"], row["version"]) for row in rows}))


def _received(row: Row) -> float:
    return float(row["received_at"])


def _base(legend: list[str]) -> dict[str, Any]:
    return {
        "animation": False,
        "textStyle": {"fontFamily": _FONT},
        "grid": {"left": 4, "right": 20, "top": 36, "bottom": 4, "containLabel": True},
        "legend": {
            "data": legend, "top": 0, "left": 0, "itemWidth": 14, "itemHeight": 8, "textStyle": _INK,
            "inactiveColor": "var(--line)", "type": "scroll",
        },
    }  # fmt: skip


def _axis(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "splitLine": _LINE, "axisLine": {"show": False}, **more}


def _colour(index: int) -> str:
    return f"var(--s{index % _COLOURS})"


def _points(name: str, symbol: str, data: list[list[Any]]) -> dict[str, Any]:
    colour = "var(--s0)" if name == "p50" else "var(--s1)"
    return {
        "name": name, "type": "scatter", "symbol": symbol, "symbolSize": 10, "data": data, "color": colour,
        "emphasis": {"disabled": True}, "z": 3, "itemStyle": {"opacity": 1},
    }  # fmt: skip


def _span(row: Row, name: str) -> dict[str, Any]:
    return {
        "type": "line", "data": [[row["p50_us"], name], [row["p99_us"], name]], "symbol": "none",
        "lineStyle": {"width": 3, "color": "var(--line)"}, "color": "var(--line)", "silent": True,
        "tooltip": {"show": False}, "emphasis": {"disabled": True},
    }  # fmt: skip
