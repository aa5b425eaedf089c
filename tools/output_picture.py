"""Draws docs/output.png, the README's picture.

One face, the astronaut's, through the real pipeline: two moments of the clip with what was held of it then, and the
evidence over time.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from monitor.config import MonitorConfig
from monitor.demo.clip import make_clip
from monitor.ingest import read_file
from monitor.messages import Alert, Pixels, Verdict
from monitor.parts import load_parts
from monitor.recorded import replay
from monitor.steps import Parts

OUT = Path(__file__).parent.parent / "docs" / "output.png"
SECONDS, MANIPULATED_FROM_S = 30.0, 12.0
MOMENTS_S = (11.0, 26.0)
COLOURS = {"inconclusive": "#8a8f98", "clear": "#2e9e5b", "suspect": "#e0a100", "fake": "#d43a3a"}


@dataclass(frozen=True)
class Judged:
    """What the pipeline said of a clip."""

    verdicts: list[Verdict]
    alerts: list[tuple[float, Alert]]

    def at(self, at_s: float) -> Verdict:
        """What was held at a moment."""
        return [verdict for verdict in self.verdicts if verdict.at_s <= at_s][-1]


def main() -> None:
    """Makes the clip, judges it, draws."""
    config = MonitorConfig.model_validate(
        {"streams": [{"name": "call", "url": "file:clip"}], "encoder": {"weights": "demo"}}
    )
    parts = load_parts(config)
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        make_clip(clip, seconds=SECONDS, manipulated_from_s=MANIPULATED_FROM_S, names=["astronaut"])
        judged = judge(clip, config, parts)
        pictures = {frame.at_s: frame.small(720) for frame in read_file(clip, "call") if frame.at_s in MOMENTS_S}
    OUT.parent.mkdir(exist_ok=True)
    draw(judged, [pictures[at_s] for at_s in MOMENTS_S], parts)


def judge(clip: Path, config: MonitorConfig, parts: Parts) -> Judged:
    """Runs the clip through the pipeline."""
    judged = Judged([], [])
    for at_s, outputs in replay(clip, config, parts, stream="call", started=datetime.now(UTC)):
        for output in outputs:
            if isinstance(output, Alert):
                judged.alerts.append((at_s, output))
            else:
                judged.verdicts.append(output)
    return judged


def draw(judged: Judged, pictures: list[Pixels], parts: Parts) -> None:
    """Two stills and a curve."""
    mpl.rcParams.update({"font.family": "DejaVu Sans", "font.size": 10, "axes.spines.top": False})
    figure, axes = plt.subplots(
        1, 3, figsize=(11, 4.2), gridspec_kw={"width_ratios": [1, 1, 3.2]}, layout="constrained"
    )
    for axis, picture, at_s in zip(axes, pictures, MOMENTS_S, strict=False):
        still(axis, picture, judged.at(at_s), at_s, parts)
    curve(axes[2], judged)
    figure.savefig(OUT, dpi=110)


def still(axis: Axes, picture: Pixels, verdict: Verdict, at_s: float, parts: Parts) -> None:
    """One moment: the picture, the face's box, the verdict."""
    axis.imshow(picture)
    face = max(parts.new_face_detector().detect(picture), key=lambda found: found.confidence)
    x0, y0, x1, y1 = face.box
    colour = COLOURS[verdict.state]
    axis.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=colour, linewidth=2.5))
    label = f" {verdict.state} "
    axis.text(x0, y0 - 8, label, color="white", backgroundcolor=colour, fontsize=10, fontweight="bold")
    axis.set_title(f"second {at_s:.0f}", fontsize=10)
    axis.set_axis_off()
    axis.set_ylim(picture.shape[0] * 0.85, picture.shape[0] * 0.16)


def curve(axis: Axes, judged: Judged) -> None:
    """Evidence over time, the threshold, what was held when, the alert."""
    times = [verdict.at_s for verdict in judged.verdicts]
    evidence = [verdict.evidence for verdict in judged.verdicts]
    threshold = judged.verdicts[0].threshold
    axis.plot(times, evidence, color="#30343b", linewidth=2)
    axis.axhline(threshold, color=COLOURS["fake"], linestyle="--", linewidth=1)
    axis.text(0.2, threshold + 0.4, "alert threshold", color=COLOURS["fake"], fontsize=9)
    axis.axvline(MANIPULATED_FROM_S, color="#8a8f98", linestyle=":", linewidth=1)
    axis.text(MANIPULATED_FROM_S - 0.2, 2, "manipulated\nfrom here on", color="#5b6068", ha="right", fontsize=9)
    for before, after in zip(judged.verdicts, judged.verdicts[1:], strict=False):
        axis.axvspan(before.at_s, after.at_s, ymin=0, ymax=0.03, color=COLOURS[before.state], linewidth=0)
    for at_s, alert in judged.alerts:
        if alert.type == "raised":
            axis.annotate(
                "alert over MQTT",
                (at_s, alert.evidence),
                (at_s - 7.5, alert.evidence + 3.5),
                arrowprops={"arrowstyle": "->", "color": COLOURS["fake"]},
                color=COLOURS["fake"],
                fontweight="bold",
            )
    axis.set(xlim=(0, SECONDS), ylim=(-0.8, threshold * 1.6), xlabel="seconds", ylabel="evidence of manipulation")
    for position, (state, colour) in enumerate(COLOURS.items()):
        y = 0.97 - 0.055 * position
        axis.text(0.01, y, f"■ {state}", color=colour, va="top", transform=axis.transAxes, fontsize=9)
    axis.set_title("astronaut (NASA), bundled demo encoder: not for real use", fontsize=9, color="#5b6068", loc="left")


if __name__ == "__main__":
    main()
