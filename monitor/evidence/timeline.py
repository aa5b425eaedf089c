"""Evidence against its threshold and the logits behind it, over time, as an SVG that reads well by day and night."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from monitor.evidence.memory import Point, Seen

_WIDTH, _HEIGHT = 900, 380
_LEFT, _RIGHT = 64.0, 884.0
_EVIDENCE = (34.0, 196.0)
"""Top and bottom of the upper field, pixels."""
_LOGITS = (246.0, 330.0)
_SHORTEST_S = 5.0
_TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600)
_MOST_TICKS = 9
_STYLE = """
svg{background:#fff}
text{font:13px system-ui,sans-serif;fill:#57606a}.title{font-weight:600;fill:#1f2328}.end{text-anchor:end}
.middle{text-anchor:middle}.grid{stroke:#d8dee4}.axis{stroke:#8c959f}
.threshold{stroke:#cf222e;stroke-width:1.5;stroke-dasharray:6 4}.over{fill:#cf222e}
.area{fill:#0969da;fill-opacity:.12}.line{fill:none;stroke:#0969da;stroke-width:2;stroke-linejoin:round}
.fake{fill:#cf222e}.real{fill:#1a7f37}
@media (prefers-color-scheme:dark){svg{background:#161b22}text{fill:#9198a1}.title{fill:#f0f6fc}
.grid{stroke:#30363d}.axis{stroke:#6e7681}.threshold{stroke:#ff7b72}.over,.fake{fill:#ff7b72}.real{fill:#56d364}
.area{fill:#58a6ff;fill-opacity:.18}.line{stroke:#58a6ff}}
"""


def timeline_svg(seen: Seen, threshold: float) -> str:
    """Draws one track up to its alert.

    Args:
        seen: what is remembered of it; the last point of the evidence is taken for the moment of the alert.
        threshold: what the evidence had to reach.
    """
    points = [*seen.evidence, *seen.logits]
    end_s = max((point.at_s for point in seen.evidence or points), default=0.0)
    begin_s = min((point.at_s for point in points), default=0.0)
    across = _Scale(min(begin_s, end_s - _SHORTEST_S), end_s, _LEFT, _RIGHT)
    highest = math.ceil(1.2 * max([threshold, *(point.value for point in seen.evidence)]))
    upper = _Scale(0.0, highest, _EVIDENCE[1], _EVIDENCE[0])
    loudest = math.ceil(1.2 * max([4.0, *(abs(point.value) for point in seen.logits)]))
    lower = _Scale(-loudest, loudest, _LOGITS[1], _LOGITS[0])
    return "".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">'
                f"<title>Evidence against its threshold, and logits, over time</title><style>{_STYLE}</style>"
            ),
            f'<text class="title" x="{_LEFT}" y="20">Evidence that the face is manipulated</text>',
            *_field(across, _EVIDENCE, [(upper(0), "0"), (upper(highest), f"{highest:.0f}")]),
            *_curve(seen.evidence, across, upper),
            (
                f'<line class="threshold" x1="{_LEFT}" x2="{_RIGHT}" y1="{upper(threshold):.1f}" '
                f'y2="{upper(threshold):.1f}"/><text class="over" x="{_LEFT + 6}" y="{upper(threshold) - 6:.1f}">'
                f"threshold {threshold:g}</text>"
            ),
            (
                f'<text class="title" x="{_LEFT}" y="{_LOGITS[0] - 14}">Logit of each crop: above 0 speaks for a '
                "manipulation, below against it</text>"
            ),
            *_field(across, _LOGITS, [(lower(value), f"{value:+.0f}") for value in (-loudest, loudest)]),
            (
                f'<line class="axis" x1="{_LEFT}" x2="{_RIGHT}" y1="{lower(0):.1f}" y2="{lower(0):.1f}"/>'
                f'<text class="end" x="{_LEFT - 8}" y="{lower(0) + 4:.1f}">0</text>'
            ),
            *_dots(seen.logits, across, lower),
            *_times(across),
            "</svg>\n",
        ]
    )


class _Scale:
    """From values to pixels."""

    def __init__(self, low: float, high: float, low_px: float, high_px: float) -> None:
        self.low, self.high = low, high
        self._low_px = low_px
        self._px = (high_px - low_px) / (high - low)

    def __call__(self, value: float) -> float:
        return self._low_px + (min(max(value, self.low), self.high) - self.low) * self._px


def _field(across: _Scale, rows: tuple[float, float], labels: Sequence[tuple[float, str]]) -> Iterable[str]:
    for seconds in _ticks(across):
        x = across(across.high - seconds)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{rows[0]}" y2="{rows[1]}"/>'
    yield f'<line class="axis" x1="{_LEFT}" x2="{_LEFT}" y1="{rows[0]}" y2="{rows[1]}"/>'
    for y, label in labels:
        yield f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="end" x="{_LEFT - 8}" y="{y + 4:.1f}">{label}</text>'


def _curve(points: Sequence[Point], across: _Scale, upper: _Scale) -> Iterable[str]:
    if not points:
        return
    corners = " ".join(f"{across(point.at_s):.1f},{upper(point.value):.1f}" for point in points)
    first, last = across(points[0].at_s), across(points[-1].at_s)
    yield f'<polygon class="area" points="{first:.1f},{upper(0):.1f} {corners} {last:.1f},{upper(0):.1f}"/>'
    yield f'<polyline class="line" points="{corners}"/>'


def _dots(points: Iterable[Point], across: _Scale, lower: _Scale) -> Iterable[str]:
    for point in points:
        side = "fake" if point.value > 0 else "real"
        yield f'<circle class="{side}" cx="{across(point.at_s):.1f}" cy="{lower(point.value):.1f}" r="3"/>'


def _times(across: _Scale) -> Iterable[str]:
    for seconds in _ticks(across):
        x = across(across.high - seconds)
        text = f"{seconds // 60}:{seconds % 60:02} min" if seconds >= 60 else f"{seconds} s" if seconds else "alert"
        yield f'<text class="{"end" if not seconds else "middle"}" x="{x:.1f}" y="{_LOGITS[1] + 20}">{text}</text>'
    middle = (_LEFT + _RIGHT) / 2
    yield f'<text class="middle" x="{middle}" y="{_LOGITS[1] + 42}">time before the alert</text>'


def _ticks(across: _Scale) -> range:
    """Seconds before the alert that are marked."""
    span_s = across.high - across.low
    step_s = next((step for step in _TICKS_S if span_s / step <= _MOST_TICKS), 3600)
    return range(0, int(span_s) + 1, step_s)
