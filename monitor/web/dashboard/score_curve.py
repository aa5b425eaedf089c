"""p(fake) of each face over the time of a video, with the threshold as a line."""

from __future__ import annotations

from typing import Any

from nicegui import ui

_MOST_TRACKS = 8
"""Those that are seen longest; the table has all."""
_MOST_POINTS = 1500
"""Of one line: more cannot be told apart."""
# Told apart by the colour-blind, too, and seen on light as on dark (Okabe and Ito; black is left out).
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#9a8c00", "#8a6fb3")
_LINE = "#8894a1"


class Curve:
    """The chart. Where a face was not seen for long, its line is broken.

    Args:
        result: of a job; of more than one frame.
        threshold: of p(fake), as the page has it.
    """

    def __init__(self, result: dict[str, Any], threshold: float) -> None:
        tracks = sorted(result["tracks"], key=lambda track: -track["frames"])[:_MOST_TRACKS]
        shown = sorted(track["id"] for track in tracks)
        points: dict[int, list[list[float | None]]] = {track: [] for track in shown}
        for face in result["details"]:
            if face["track"] in points:
                points[face["track"]].append([round(face["at_s"], 3), round(face["p_fake"], 4)])
        series = [_series(track, _thinned(points[track]), number) for number, track in enumerate(shown)]
        if series:
            series[0]["markLine"] = _line(threshold)
        self.faces_left_out = len(result["tracks"]) - len(shown)
        said = (
            f"p(fake) over time of {len(shown)} face{'' if len(shown) == 1 else 's'}; the tables below have the numbers"
        )
        self._chart = ui.echart(_options(series), renderer="svg").classes("curve")
        self._chart.props["role"] = "img"
        self._chart.props["aria-label"] = said

    def follow(self, threshold: float) -> None:
        """Moves the line."""
        series = self._chart.options["series"]
        if series:
            series[0]["markLine"] = _line(threshold)
            self._chart.update()


def _thinned(points: list[list[float | None]]) -> list[list[float | None]]:
    every = -(-len(points) // _MOST_POINTS)
    return points[::every] if every > 1 else points


def _series(track: int, points: list[list[float | None]], number: int) -> dict[str, Any]:
    return {
        "name": f"face {track}",
        "type": "line",
        "data": points,
        "showSymbol": len(points) <= 100,
        "symbolSize": 6,
        "color": _COLOURS[number],
        "lineStyle": {"width": 2},
    }


def _line(threshold: float) -> dict[str, Any]:
    return {
        "silent": True,
        "symbol": "none",
        "animation": False,
        "lineStyle": {"type": "dashed", "width": 2, "color": _LINE},
        "label": {"formatter": f"threshold {threshold:.2f}", "position": "insideStartTop", "color": _LINE},
        "data": [{"yAxis": threshold}],
    }


def _options(series: list[dict[str, Any]]) -> dict[str, Any]:
    axis = {"axisLine": {"lineStyle": {"color": _LINE}}, "splitLine": {"lineStyle": {"color": _LINE, "opacity": 0.3}}}
    return {
        "animation": False,
        "grid": {"left": 44, "right": 16, "top": 36, "bottom": 44},
        "legend": {"top": 0, "type": "scroll"},
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "value", "name": "seconds", "nameLocation": "middle", "nameGap": 26, **axis},
        "yAxis": {"type": "value", "min": 0, "max": 1, **axis},
        "series": series,
    }
