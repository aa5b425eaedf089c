"""Plots of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from gend.evaluation.measuring import Row, ScoredSample
from gend.metrics import Figures, Floats, operating_points
from gend.pages.plotting import FAKE_COLOUR, INK, LINE, PANEL_INCHES, REAL_COLOUR, SERIES, STYLE, as_svg, legend

_FINEST = 500
"""Steps along an axis that a curve keeps."""
_BINS = 25


def overview(rows: Sequence[Row]) -> str:
    """AUROC of videos with its interval, of each set and detector.

    Args:
        rows: of one level and pooling, each detector's in the same order.
    """
    rows = [row for row in rows if row.figures is not None]
    places = list(dict.fromkeys((row.set, row.source) for row in rows))
    detectors = list(dict.fromkeys(row.detector for row in rows))
    with mpl.rc_context(STYLE):
        canvas = Canvas(figsize=(9.5, 0.75 + len(places) * max(0.3, 0.17 * len(detectors))), layout="constrained")
        axes = canvas.subplots()
        for row in rows:
            number = detectors.index(row.detector)
            at = places.index((row.set, row.source)) + 0.6 * ((number + 0.5) / len(detectors) - 0.5)
            colour = SERIES[number % len(SERIES)]
            assert row.figures is not None
            if "auroc" in row.spans:
                axes.plot(row.spans["auroc"], (at, at), color=colour, linewidth=1.6, alpha=0.6)
            axes.plot(row.figures.auroc, at, "o" if row.source is None else "D", color=colour, markersize=5)
        axes.set_yticks(range(len(places)), [name if source is None else f"    {source}" for name, source in places])
        axes.set_ylim(len(places) - 0.5, -0.5)
        least = min(min((row.figures.auroc, *row.spans.get("auroc", ()))) for row in rows if row.figures is not None)
        axes.set_xlim(min(0.5, np.floor(10 * least) / 10) - 0.005, 1.005)
        axes.set_xlabel("AUROC of videos, mean over frames, with 95 % interval")
        axes.grid(visible=False, axis="y")
        legend(canvas, detectors)
        return as_svg(canvas)


def curves(samples: Mapping[str, tuple[ScoredSample, ScoredSample]]) -> str:
    """ROC, precision over recall, and F1 over the threshold.

    Args:
        samples: of each detector, the videos and the frames.
    """
    with mpl.rc_context(STYLE):
        canvas = Canvas(figsize=(3 * PANEL_INCHES, PANEL_INCHES), layout="constrained")
        roc, recall, f1 = canvas.subplots(1, 3)
        roc.plot((0, 1), (0, 1), color=LINE, linewidth=1)
        for number, (videos, frames) in enumerate(samples.values()):
            for sample, line in ((frames, ":"), (videos, "-")):
                points = operating_points(sample.scores, sample.labels)
                style = {"color": SERIES[number % len(SERIES)], "linestyle": line, "linewidth": 1.6}
                roc.plot(*_thinned(points.fpr, points.tpr), **style)
                recall.plot(*_thinned(points.tpr[1:], points.precision[1:]), drawstyle="steps-pre", **style)
                f1.plot(*_thinned(points.thresholds[1:], points.f1[1:]), drawstyle="steps-pre", **style)
        _square(roc, "ROC", "false positive rate", "true positive rate")
        _square(recall, "Precision and recall", "recall", "precision")
        _square(f1, "F1", "threshold on p(fake)", "F1")
        legend(canvas, list(samples), more=(("videos", "-"), ("frames", ":")))
        return as_svg(canvas)


def histograms(videos: ScoredSample, frames: ScoredSample, figures: Figures | None) -> str:
    """How scores of real and fake lie, of videos and frames, and what the EER's threshold makes of videos."""
    with mpl.rc_context(STYLE):
        canvas = Canvas(figsize=(3 * PANEL_INCHES, 0.8 * PANEL_INCHES), layout="constrained")
        of_videos, of_frames, table = canvas.subplots(1, 3, width_ratios=(1, 1, 0.8))
        for axes, sample, title in ((of_videos, videos, "Videos"), (of_frames, frames, "Frames")):
            for label, colour, name in ((0, REAL_COLOUR, "real"), (1, FAKE_COLOUR, "fake")):
                chosen = sample.scores[sample.labels == label]
                if len(chosen):
                    weights = np.full(len(chosen), 1 / len(chosen))
                    style = {"color": colour, "alpha": 0.55, "label": f"{name} ({len(chosen)})"}
                    axes.hist(chosen, np.linspace(0, 1, _BINS + 1), weights=weights, histtype="stepfilled", **style)
            axes.set(title=title, xlabel="p(fake)", ylabel="share of the class", xlim=(0, 1))
            axes.legend(loc="upper center")
        if figures is None:
            table.axis("off")
        else:
            of_videos.axvline(figures.eer_threshold, color=INK, linewidth=1, linestyle="--")
            _confusion(table, videos, figures.eer_threshold)
        return as_svg(canvas)


def _confusion(axes: Any, videos: ScoredSample, threshold: float) -> None:
    said = videos.scores >= threshold
    counts = np.array([[(said[videos.labels == truth] == answer).sum() for answer in (0, 1)] for truth in (0, 1)])
    shares = counts / counts.sum(axis=1, keepdims=True)
    axes.grid(visible=False)
    for truth in (0, 1):
        for answer in (0, 1):
            colour = REAL_COLOUR if truth == answer else FAKE_COLOUR
            box = Rectangle((answer, truth), 1, 1, color=colour, alpha=0.08 + 0.5 * shares[truth, answer])
            axes.add_patch(box)
            text = f"{counts[truth, answer]}\n{shares[truth, answer]:.0%}"
            axes.text(answer + 0.5, truth + 0.5, text, ha="center", va="center")
    axes.set(xlim=(0, 2), ylim=(2, 0), title=f"Videos at p ≥ {threshold:.3g}", xlabel="said to be", ylabel="is")
    axes.set_xticks((0.5, 1.5), ("real", "fake"))
    axes.set_yticks((0.5, 1.5), ("real", "fake"), rotation=90, va="center")
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def _square(axes: Any, title: str, x: str, y: str) -> None:
    axes.set(title=title, xlabel=x, ylabel=y, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(5))


def _thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """A curve without the points that nobody can see."""
    steps = np.round(np.stack([x, y]) * _FINEST)
    seen = np.append(True, (np.diff(steps, axis=1) != 0).any(axis=0))
    seen |= np.append(seen[1:], True)  # both ends of each step
    return x[seen], y[seen]
