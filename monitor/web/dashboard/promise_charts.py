"""Pictures of what is promised. Their colours are those of the page, by day and by night.

ECharts draws them as SVG, whose colours may be variables of CSS. What they show stands beside them in words, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nicegui import ui

from monitor.actions.promises import Curve, StreamPromise
from monitor.calibration_summary import rate

_TEXT = {"color": "var(--quiet)", "fontFamily": "system-ui, sans-serif", "fontSize": 12}
_AXIS: dict[str, Any] = {
    "axisLabel": _TEXT,
    "nameTextStyle": _TEXT,
    "axisLine": {"lineStyle": {"color": "var(--line)"}},
    "axisTick": {"lineStyle": {"color": "var(--line)"}},
    "splitLine": {"lineStyle": {"color": "var(--line)"}},
    "minorTick": {"show": False},
}
_ROOM = 1.15
_MARGIN = 0.1
"""Of a power of ten."""
_ROW_PX = 34


def overview_chart(promises: Sequence[StreamPromise], target: float) -> None:
    """What is promised of each stream, against what is asked for."""
    shown = [(promise, promise.promised_per_day) for promise in promises if promise.promised_per_day is not None]
    points = [
        {
            "value": [per_day, promise.stream],
            "itemStyle": {"color": _tone(promise), "opacity": 1},
            "label": {"formatter": rate(per_day)},
        }
        for promise, per_day in shown
    ]
    options = {
        "animation": False,
        "grid": {"left": 8, "right": 48, "top": 28, "bottom": 32, "containLabel": True},
        "xAxis": {
            **_AXIS,
            **_decades([target, *(per_day for _, per_day in shown)]),
            "name": "false alarms a day promised",
            "nameLocation": "middle",
            "nameGap": 26,
        },
        "yAxis": {
            **_AXIS,
            "type": "category",
            "inverse": True,
            "data": [promise.stream for promise, _ in shown],
            "splitLine": {"show": True, "lineStyle": {"color": "var(--line)"}},
        },
        "series": [
            {
                "type": "scatter",
                "data": points,
                "symbolSize": 14,
                "silent": True,
                "label": {**_TEXT, "show": True, "position": "right"},
                "markLine": _target({"xAxis": target}, target, "start"),
            }
        ],
    }
    said = ", ".join(f"{promise.stream} {rate(per_day)}" for promise, per_day in shown)
    _chart(options, f"False alarms a day that are promised, {target:g} asked for: {said}", 90 + _ROW_PX * len(shown))


def curve_chart(promise: StreamPromise, curve: Curve) -> None:
    """What each threshold would promise, and the one that is used."""
    end = max(curve.thresholds[-1], promise.threshold) * _ROOM
    points = [*zip(curve.thresholds, curve.promised_per_day, strict=True), (end, curve.promised_per_day[-1])]
    options = {
        "animation": False,
        "grid": {"left": 12, "right": 20, "top": 34, "bottom": 30, "containLabel": True},
        "xAxis": {
            **_AXIS,
            "type": "value",
            "min": 0,
            "max": end,
            "name": "evidence that raises an alert",
            "nameLocation": "middle",
            "nameGap": 26,
            "axisLabel": {**_TEXT, "showMaxLabel": False},
        },
        "yAxis": {
            **_AXIS,
            **_decades([promise.target_per_day, *curve.promised_per_day]),
            "name": "false alarms a day",
            "nameTextStyle": {**_TEXT, "align": "left"},
        },
        "series": [
            {
                "type": "line",
                "step": "end",
                "data": [list(point) for point in points],
                "symbol": "none",
                "silent": True,
                "lineStyle": {"color": "var(--accent)", "width": 2},
                "itemStyle": {"color": "var(--accent)"},
                "markLine": _target({"yAxis": promise.target_per_day}, promise.target_per_day, "insideStartTop"),
            },
            {
                "type": "scatter",
                "data": [[promise.threshold, promise.promised_per_day]],
                "symbolSize": 13,
                "silent": True,
                "itemStyle": {"color": _tone(promise), "borderColor": "var(--card)", "borderWidth": 2, "opacity": 1},
            },
        ],
    }
    _chart(
        options,
        f"What each threshold would promise. At evidence of {promise.threshold:.2f}, which is used, at most "
        f"{rate(promise.promised_per_day or promise.target_per_day)} false alarms a day; "
        f"{promise.target_per_day:g} asked for",
        230,
    )


def _tone(promise: StreamPromise) -> str:
    return "var(--clear)" if promise.calibrated else "var(--suspect)"


def _decades(values: Sequence[float]) -> dict[str, Any]:
    """A logarithmic axis of whole powers of ten, with room at both ends."""
    low, high = math.log10(min(values)) - _MARGIN, math.log10(max(values)) + _MARGIN
    return {"type": "log", "min": 10.0 ** math.floor(low), "max": 10.0 ** math.ceil(high)}


def _target(where: dict[str, float], target: float, position: str) -> dict[str, Any]:
    return {
        "symbol": "none",
        "silent": True,
        "data": [where],
        "lineStyle": {"color": "var(--ink)", "type": "dashed", "width": 1.5},
        "label": {**_TEXT, "color": "var(--ink)", "formatter": f"asked for: {target:g}", "position": position},
    }


def _chart(options: dict[str, Any], said: str, height_px: int) -> None:
    chart = ui.echart(options, renderer="svg").classes("chart").style(f"height: {height_px}px")
    chart.props["role"] = "img"
    chart.props["aria-label"] = said
