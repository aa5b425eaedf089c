"""How the evidence on each face of a stream went, against the threshold of an alert."""

from __future__ import annotations

import math
from typing import Any

from nicegui import ui

from monitor.actions.recent import RecentView

_SHOWN_S = 600.0
_LEAST_SHOWN_S = 60.0
_COLOURS = ("#2f7ed8", "#c77700", "#2a9d5c", "#9b5fc0", "#c2487a", "#5d7f8c")
_THRESHOLD = "#d6473b"
_HEADROOM = 1.25
_MOVED_S = 10.0
"""What is drawn moves away from now: nothing new or not, it is drawn again after so long."""


class EvidenceChart:
    """A line for each face, of the last ten minutes at the most."""

    def __init__(self) -> None:
        self._chart = ui.echart(_options(), renderer="svg").classes("chart")
        self._chart.props('role="img"')
        self._shown: object = None
        self._shown_s = -math.inf

    def show(self, recent: RecentView) -> None:
        """Draws what is remembered now; does nothing where nothing is new."""
        shown = [
            (track.track, track.evidence[-1].at_s, len(track.evidence)) for track in recent.tracks if track.evidence
        ]
        if shown == self._shown and (not shown or recent.now_s - self._shown_s < _MOVED_S):
            return
        self._shown, self._shown_s = shown, recent.now_s
        lines: list[dict[str, Any]] = []
        oldest_s, highest, threshold = -_LEAST_SHOWN_S, 0.0, None
        for track in reversed(recent.tracks):
            points = [
                [round(point.at_s - recent.now_s, 1), round(point.evidence, 3)]
                for point in track.evidence
                if recent.now_s - point.at_s <= _SHOWN_S
            ]
            if not points:
                continue
            threshold = track.evidence[-1].threshold
            oldest_s = min(oldest_s, points[0][0])
            highest = max(highest, *(value for _, value in points))
            lines.append({"name": f"Face {track.track}", "data": points, "track": track.track})
        options = self._chart.options
        options["xAxis"]["min"] = oldest_s
        options["yAxis"]["max"] = math.ceil(_HEADROOM * max(highest, threshold or 1.0))
        options["series"] = [_line(line, number) for number, line in enumerate(lines)]
        if threshold is not None:
            options["series"].append(_threshold(threshold, oldest_s))
        said = ", ".join(f"{line['name']} {line['data'][-1][1]:.1f}" for line in lines) or "no face yet"
        told = f"Evidence now: {said}" + ("" if threshold is None else f"; an alert is raised at {threshold:.1f}")
        self._chart.props["aria-label"] = told
        self._chart.update()


def _options() -> dict[str, Any]:
    return {
        "animation": False,
        "grid": {"left": 44, "right": 16, "top": 36, "bottom": 28},
        "legend": {"type": "scroll", "icon": "roundRect", "itemHeight": 3, "top": 0, "left": 0},
        "tooltip": {"trigger": "axis", ":valueFormatter": "value => value.toFixed(2)"},
        "xAxis": {
            "type": "value",
            "min": -_LEAST_SHOWN_S,
            "max": 0,
            "splitLine": {"show": False},
            "axisLabel": {
                ":formatter": "s => s === 0 ? 'now' : s > -120 ? `${Math.round(s)} s` : `${Math.round(s / 60)} min`"
            },
        },
        "yAxis": {"type": "value", "min": 0, "axisLine": {"onZero": False}},
        "series": [],
    }


def _line(line: dict[str, Any], number: int) -> dict[str, Any]:
    colour = _COLOURS[number % len(_COLOURS)]
    return {
        "type": "line",
        "name": line["name"],
        "data": line["data"],
        "showSymbol": False,
        "lineStyle": {"width": 2, "color": colour},
        "itemStyle": {"color": colour},
    }


def _threshold(threshold: float, oldest_s: float) -> dict[str, Any]:
    return {
        "type": "line",
        "name": "alert",
        "data": [[oldest_s, threshold], [0, threshold]],
        "showSymbol": False,
        "lineStyle": {"width": 2, "type": "dashed", "color": _THRESHOLD},
        "itemStyle": {"color": _THRESHOLD},
    }
