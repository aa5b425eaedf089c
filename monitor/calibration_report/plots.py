"""Plots of a calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from gend.pages.plotting import FAKE_COLOUR, INK, LINE, PANEL_INCHES, REAL_COLOUR, SERIES, STYLE, as_svg
from monitor.decision.fitting import Reliability
from monitor.decision.promise import PromiseCurve

_BINS = 48
_SMALLEST_DOT, _LARGEST_DOT = 12.0, 220.0
_MANY = 30
"""So many tracks in one bin hide the few that decide, unless they are counted on a logarithmic axis."""
_DECADES = 100.0
"""Beyond that a logarithmic axis is marked at powers of ten alone."""
_ROOM, _ROOM_BEYOND = 1.06, 1.25
"""To the right of all there is, and of the threshold: what it promises is to be seen."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold, and the false alarms a day that were asked for."""

    evidence: float
    asked_per_day: float
    kept: bool


@dataclass(frozen=True, slots=True)
class NamedCurve:
    """A curve of what can be promised, and in which sense."""

    name: str
    curve: PromiseCurve


def promise_plot(
    peaks: NDArray[np.float64], mine: Threshold, others: Sequence[Threshold], curves: Sequence[NamedCurve]
) -> str:
    """How high real tracks came, against thresholds; below it, on the same axis, what each threshold promises.

    Args:
        peaks: the highest evidence of each real track, (tracks,).
        mine: the threshold that is used.
        others: those that other rates would have; only where they can be promised.
        curves: in the order of their colours; the first is the sense that was asked for.
    """
    highest = max([mine.evidence, *(each.evidence for each in others), *peaks.tolist()])
    end = max(_ROOM * highest, _ROOM_BEYOND * mine.evidence)
    with mpl.rc_context(STYLE):
        canvas = Canvas(figsize=(3 * PANEL_INCHES, 1.75 * PANEL_INCHES), layout="constrained")
        above, below = canvas.subplots(2, 1, sharex=True, height_ratios=(1, 1.15))
        _peaks(above, peaks, mine.evidence, end)
        for threshold in (*others, mine):
            own = threshold is mine
            style = {"color": FAKE_COLOUR if own else INK, "linestyle": "-" if own else ":"}
            for axes in (above, below):
                axes.axvline(threshold.evidence, linewidth=1.4 if own else 1.0, zorder=1.5, **style)
        _promises(below, curves, mine, end)
        below.set_xlim(0, end)
        handles = [Line2D((), (), color=FAKE_COLOUR, linewidth=1.4, label=_said(mine))]
        handles += [
            Line2D((), (), color=INK, linestyle=":", linewidth=1.0, label="of other rates: " + _listed(others))
            for _ in others[:1]
        ]
        handles += [
            Line2D((), (), color=SERIES[number], linewidth=1.8, label=each.name) for number, each in enumerate(curves)
        ]
        if curves[0].curve.seen_per_day.any():
            handles.append(Line2D((), (), color=REAL_COLOUR, linewidth=1.2, label="counted in this footage"))
        canvas.legend(handles=handles, loc="outside lower center", ncols=3)
        return as_svg(canvas)


def _said(mine: Threshold) -> str:
    rate = f"{mine.evidence:.2f}: {mine.asked_per_day:g} false alarms a day"
    return f"threshold {rate}" if mine.kept else f"threshold {mine.evidence:.2f}, which does not promise enough"


def _listed(others: Sequence[Threshold]) -> str:
    rates: dict[str, list[str]] = {}
    for each in others:
        rates.setdefault(f"{each.evidence:.2f}", []).append(f"{each.asked_per_day:g}")
    return ", ".join(f"{level} ({' or '.join(asked)} a day)" for level, asked in rates.items())


def _peaks(axes: Any, peaks: NDArray[np.float64], threshold: float, end: float) -> None:
    # The threshold is between two bars, and no bar on both sides of it.
    width = threshold / max(1, round(threshold / end * _BINS))
    edges = width * np.arange(int(np.ceil(end / width)) + 1)
    counts, *_ = axes.hist(peaks, edges, color=REAL_COLOUR, alpha=0.8, linewidth=0, zorder=2)
    if counts.max(initial=0) > _MANY:
        axes.set_yscale("log")
        axes.set_ylim(0.6, None)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.minorticks_off()
    else:
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set(title="Highest evidence of each real face", ylabel="faces")
    axes.tick_params(labelbottom=False)


def _promises(axes: Any, curves: Sequence[NamedCurve], mine: Threshold, end: float) -> None:
    seen = curves[0].curve
    for number, each in reversed(list(enumerate(curves))):
        x = np.append(each.curve.thresholds, end)
        y = np.append(each.curve.promised_per_day, each.curve.promised_per_day[-1])
        axes.plot(x, y, color=SERIES[number], drawstyle="steps-post", linewidth=1.8, zorder=3)
    counted = np.append(seen.seen_per_day, seen.seen_per_day[-1])
    counted[counted == 0] = np.nan
    axes.plot(
        np.append(seen.thresholds, end), counted, color=REAL_COLOUR, drawstyle="steps-post", linewidth=1.2, zorder=2.5
    )
    axes.axhline(mine.asked_per_day, color=INK, linewidth=1.0, linestyle="--", zorder=1.5)
    axes.annotate(
        f"asked: {mine.asked_per_day:g} a day", (1, mine.asked_per_day), (-2, 3), xycoords=("axes fraction", "data"),
        textcoords="offset points", ha="right", va="bottom",
    )  # fmt: skip
    axes.set_yscale("log")
    lowest = min(mine.asked_per_day, *(each.curve.promised_per_day.min() for each in curves))
    axes.set_ylim(lowest / 1.8, None)
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < _DECADES * low else (1,), numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.minorticks_off()
    title = "False alarms a day and stream that are not exceeded, by threshold"
    axes.set(title=title, xlabel="evidence", ylabel="a day")


def reliability_plot(overall: Reliability, by_quality: Sequence[Reliability]) -> str:
    """What was said against what was so: of all crops, and of each quality where there are several."""
    shown = [("All crops", overall)]
    if len(by_quality) > 1:
        ends = [*(each.least_quality for each in by_quality[1:]), 1.0]
        shown += [
            (f"Quality {each.least_quality:.2f} to {end:.2f}", each) for each, end in zip(by_quality, ends, strict=True)
        ]
    with mpl.rc_context(STYLE):
        # Always as wide as four: letters keep their size.
        canvas = Canvas(figsize=(3 * PANEL_INCHES, 0.95 * PANEL_INCHES), layout="constrained")
        panels = canvas.subplots(1, 4, sharey=True)
        for axes, (title, found) in zip(panels, shown, strict=False):
            axes.plot((0, 1), (0, 1), color=LINE, linewidth=1, zorder=1)
            said = [each.said for each in found.bins]
            seen = [each.seen for each in found.bins]
            sizes = [max(_SMALLEST_DOT, _LARGEST_DOT * each.weight) for each in found.bins]
            axes.plot(said, seen, color=SERIES[0], linewidth=1.2, zorder=2)
            axes.scatter(said, seen, sizes, color=SERIES[0], linewidths=0, alpha=0.75, zorder=3)
            axes.set_title(f"{title}\nECE {found.error:.3f}")
            axes.set(xlabel="said p(fake)", xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), aspect="equal")
            axes.xaxis.set_major_locator(MaxNLocator(5))
        panels[0].set_ylabel("share of fakes")
        for axes in panels[len(shown) :]:
            axes.axis("off")
        return as_svg(canvas)
