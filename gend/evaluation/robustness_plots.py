"""Curves of how AUROC falls as pictures get worse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from gend.evaluation.corruptions import KINDS, Kind
from gend.evaluation.robustness import RobustnessRow
from gend.pages.plotting import LINE, PANEL_INCHES, SERIES, STYLE, as_svg, legend

_FALLING: frozenset[Kind] = frozenset({"jpeg", "resize"})
"""Severities of which smaller is worse."""
_COLUMNS = 3


def robustness_curves(rows: Sequence[RobustnessRow]) -> dict[str, str]:
    """AUROC of videos over severity, `robustness:severity`, and over size for each interpolation, `robustness:resize`.

    Args:
        rows: of all detectors, those of pictures as they are included.
    """
    rows = [row for row in rows if row.figures is not None]
    detectors = list(dict.fromkeys(row.detector for row in rows))
    kinds = [kind for kind in KINDS if any(row.corruption and row.corruption.kind == kind for row in rows)]
    by_severity = [kind for kind in kinds if kind != "resize"]
    found = {}
    with mpl.rc_context(STYLE):
        if by_severity:
            found["robustness:severity"] = _by_severity(rows, detectors, by_severity)
        if "resize" in kinds:
            found["robustness:resize"] = _by_size(rows, detectors)
    return found


def _by_severity(rows: Sequence[RobustnessRow], detectors: Sequence[str], kinds: Sequence[Kind]) -> str:
    canvas = Canvas(figsize=(3 * PANEL_INCHES, 0.85 * PANEL_INCHES * -(-len(kinds) // 2)), layout="constrained")
    panels = canvas.subplots(-(-len(kinds) // 2), min(2, len(kinds)), sharey=True, squeeze=False).ravel()
    for axes, kind in zip(panels, kinds, strict=False):
        for number, detector in enumerate(detectors):
            own = [row for row in rows if row.detector == detector]
            _line(axes, [row for row in own if row.corruption and row.corruption.kind == kind], own, SERIES[number % 8])
        _dress(axes, kind, KINDS[kind])
    for axes in panels[len(kinds) :]:
        axes.axis("off")
    legend(canvas, detectors)
    return as_svg(canvas)


def _by_size(rows: Sequence[RobustnessRow], detectors: Sequence[str]) -> str:
    lines = -(-len(detectors) // _COLUMNS)
    canvas = Canvas(figsize=(_COLUMNS * PANEL_INCHES, PANEL_INCHES * lines), layout="constrained")
    panels = canvas.subplots(lines, _COLUMNS, sharey=True, squeeze=False).ravel()
    filters = list(dict.fromkeys(row.corruption.filter for row in rows if row.corruption and row.corruption.filter))
    for axes, detector in zip(panels, detectors, strict=False):
        own = [row for row in rows if row.detector == detector]
        for number, name in enumerate(filters):
            chosen = [row for row in own if row.corruption and row.corruption.filter == name]
            _line(axes, chosen, own, SERIES[number % 8], band=False)
        _dress(axes, "resize", f"Resized, {detector}" if len(detectors) > 1 else "Resized")
        axes.set_xlabel(KINDS["resize"])
        sizes = sorted({row.corruption.severity for row in own if row.corruption and row.corruption.kind == "resize"})
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [f"{size:g}" for size in sizes], minor=False)
        axes.minorticks_off()
    for axes in panels[len(detectors) :]:
        axes.axis("off")
    legend(canvas, [str(name) for name in filters])
    return as_svg(canvas)


def _line(
    axes: Any, rows: Sequence[RobustnessRow], own: Sequence[RobustnessRow], colour: str, *, band: bool = True
) -> None:
    """One curve, with the level of pictures as they are behind it."""
    rows = sorted(rows, key=lambda row: row.corruption.severity if row.corruption else 0)
    severities = [row.corruption.severity for row in rows if row.corruption]
    values = [row.figures.auroc for row in rows if row.figures]
    clean = next((row.figures.auroc for row in own if row.corruption is None and row.figures), None)
    if clean is not None:
        axes.axhline(clean, color=colour if band else LINE, linewidth=0.8, alpha=0.6)
    if band and all("auroc" in row.spans for row in rows):
        low, high = zip(*(row.spans["auroc"] for row in rows), strict=True) if rows else ((), ())
        axes.fill_between(severities, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(severities, values, "o-", color=colour, linewidth=1.6, markersize=3.5)


def _dress(axes: Any, kind: Kind, title: str) -> None:
    axes.set(title=title, ylabel="AUROC of videos")
    if kind in _FALLING and not axes.xaxis_inverted():
        axes.invert_xaxis()
