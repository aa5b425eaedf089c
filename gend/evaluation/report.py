"""Writes what people look at: the plots, each as a file of its own, and the page that holds all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gend.evaluation.measuring import ALL_SETS, ScoredSample, frame_sample, video_sample
from gend.evaluation.page import page
from gend.evaluation.plots import curves, histograms, overview
from gend.evaluation.results import PLOTS, REPORT, Results, write_text
from gend.evaluation.robustness_plots import robustness_curves
from gend.evaluation.run import DetectorScores
from gend.metrics import measure
from gend.pages.plotting import standalone


def write_report(results: Results, judged: Mapping[str, DetectorScores], out: Path) -> Path:
    """Writes `report.html` and `plots/`; the path of the report.

    Raises:
        GendError: they cannot be written.
    """
    plots = _plots(results, judged)
    for name, svg in plots.items():
        write_text(out / PLOTS / f"{re.sub(r'[^A-Za-z0-9+._-]+', '-', name)}.svg", standalone(svg))
    report = out / REPORT
    write_text(report, page(results, plots))
    return report


def _plots(results: Results, judged: Mapping[str, DetectorScores]) -> dict[str, str]:
    """SVG elements by the names that the page knows them by."""
    plots = {}
    videos = [row for row in results.rows if (row.level, row.pooling) == ("video", "mean")]
    if any(row.figures is not None for row in videos):
        plots["overview"] = overview(videos)
    names = [each.name for each in results.sets]
    for name in [*names, *([ALL_SETS] if len(names) > 1 else [])]:
        samples = {detector: _samples(each, name) for detector, each in judged.items()}
        first, _ = next(iter(samples.values()))
        if first.count(0) and first.count(1):
            plots[f"curves:{name}"] = curves(samples)
        for detector, (of_videos, of_frames) in samples.items():
            figures = measure(of_videos.scores, of_videos.labels)
            plots[f"scores:{name}:{detector}"] = histograms(of_videos, of_frames, figures)
    return plots | robustness_curves(results.robustness)


def _samples(judged: DetectorScores, name: str) -> tuple[ScoredSample, ScoredSample]:
    """Videos and frames of a set, or of all."""
    frames = frame_sample(judged.sets if name == ALL_SETS else {name: judged.sets[name]})
    return video_sample(frames, "mean"), frames
