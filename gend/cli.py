"""The command line of the detector. Exit codes: 0 done, 1 ran and failed, 2 bad usage.

What is heavy is imported by the command that needs it, so that `--help` is quick. A file that cannot be scored and a
name that cannot be fetched are one line on stderr each; the others are done all the same, and the exit code is 1.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gend import cli_adapter, cli_engines, cli_prepare, cli_test, cli_train
from gend.cli_options import FaceDetectorOption
from gend.cli_terminal import say
from gend.errors import ConfigError, GendError

if TYPE_CHECKING:
    from gend.annotate import Annotations
    from gend.model import Detector
    from gend.score import FileScore
    from gend.scoring import FileScorer, InputFile

app = typer.Typer(
    name="gend",
    help="Finds the faces of pictures and videos and says how likely each is manipulated.",
    epilog="Try it: gend score photo.jpg --weights demo. "
    "Every error is one line; --debug, anywhere, adds the traceback.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_DEBUG = "--debug"


def main() -> None:
    """Runs the command line: one clear line per error, the exit code as documented."""
    try:
        app([argument for argument in sys.argv[1:] if argument != _DEBUG], prog_name="gend")
    except GendError as error:
        _tell(error)
        sys.exit(2 if isinstance(error, ConfigError) else 1)


@app.command(
    epilog="""\b
Examples:
  gend score photo.jpg --weights demo
  gend score footage/ --json > scores.jsonl
  gend score call.mp4 --every-frame --annotate looked-at
  gend score talk.mkv --stride 5 --faces largest --json --details

p(fake) is the encoder's own; where to draw a line between real and fake depends on the footage."""
)
def score(
    paths: Annotated[list[Path], typer.Argument(help="Pictures, videos, or folders of them.")],
    *,
    weights: Annotated[
        str, typer.Option(help="demo, a hub id, a folder or file of weights, or a folder of `gend export`.")
    ] = "yermandy/GenD_CLIP_L_14",
    detector: FaceDetectorOption = "auto",
    engine: Annotated[
        Literal["auto", "torch", "openvino"], typer.Option(help="What runs the encoder; auto is the fastest here.")
    ] = "auto",
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "int8"], typer.Option(help="Of the encoder's arithmetic.")
    ] = "auto",
    frames: Annotated[
        int | None,
        typer.Option(metavar="N", help="Look at N frames of a video, spread evenly over it.", min=1, show_default="32"),
    ] = None,
    stride: Annotated[
        int | None, typer.Option(metavar="K", help="Look at every K-th frame of a video instead.", min=1)
    ] = None,
    every_frame: Annotated[bool, typer.Option("--every-frame", help="Look at every frame of a video instead.")] = False,
    faces: Annotated[
        Literal["all", "largest"], typer.Option(help="Score all faces of a frame, or the largest alone.")
    ] = "all",
    min_face_px: Annotated[int, typer.Option(metavar="PX", help="Leave out narrower faces.", min=1)] = 40,
    annotate: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write copies there with each face's box, number and p(fake) drawn on them."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per file, as it is done.")] = False,
    details: Annotated[
        bool, typer.Option("--details", help="With --json: every face of every frame, its box, time and logit.")
    ] = False,
) -> None:
    """Score every face of pictures and videos, and follow it through a video."""
    if (frames is not None) + (stride is not None) + every_frame > 1:
        raise typer.BadParameter("--frames, --stride and --every-frame exclude each other")
    if details and not as_json:
        raise typer.BadParameter("--details needs --json")

    from gend.faces import load_detector  # noqa: PLC0415
    from gend.model import Detector  # noqa: PLC0415
    from gend.score import FaceChoice  # noqa: PLC0415
    from gend.scoring import FileScorer  # noqa: PLC0415
    from gend.video import Sampling  # noqa: PLC0415

    failures = _Failures()
    files = _input_files(paths, annotate, failures)
    face_detector = load_detector(detector, threads=_threads(), warn=lambda line: say("warning", line))
    encoder = Detector.load(weights, engine=engine, precision=precision)
    for notice in encoder.notices:
        say("notice", notice)
    scorer = FileScorer(
        detector=encoder,
        faces=face_detector,
        sampling=Sampling(frames, 1 if every_frame else stride),
        choice=FaceChoice(largest=faces == "largest", min_px=min_face_px),
        details=details,
        annotations=None if annotate is None else _annotations(annotate, encoder, files),
    )
    _score_files(scorer, files, failures, as_json=as_json)
    if annotate is not None:
        say("annotated", str(annotate))
    failures.end()


@app.command(epilog="Examples: gend fetch; gend fetch yunet blazeface; gend fetch yermandy/GenD_CLIP_L_14")
def fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Names of the list, or encoders' hub ids.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Fetch all of the list.")] = False,
) -> None:
    """Fetch models and pictures; without names, list them."""
    from gend.catalogue import CATALOGUE  # noqa: PLC0415
    from gend.fetch import fetch as fetch_file  # noqa: PLC0415
    from gend.hub import checkpoint_folder  # noqa: PLC0415

    if not names and not everything:
        table = Table("name", "size", "licence", "what it is")
        for artifact in CATALOGUE.values():
            table.add_row(artifact.name, f"{artifact.bytes / 1000:,.0f} kB", artifact.licence, artifact.about)
        Console().print(table)
        return

    failures = _Failures()
    progress = Console(stderr=True)
    for name in [*(CATALOGUE if everything else ()), *(names or ())]:
        with failures.told():
            with progress.status(escape(name)):
                path = checkpoint_folder(name) if "/" in name else fetch_file(name)
            print(path, flush=True)
    failures.end()


app.add_typer(cli_adapter.app)
app.command()(cli_engines.export)
app.command()(cli_engines.compare)
app.command(
    epilog="""\b
Examples:
  gend prepare footage/ crops/
  gend prepare FaceForensics++/ crops/ --layout ffpp --mode at_least --frames 32
  gend prepare photos/ crops/ --alone --size 256 --dataset people"""
)(cli_prepare.prepare)
app.command(
    epilog="""\b
Examples:
  gend train --list
  gend train configs/train/example.yaml
  gend train my.yaml optimiser.learning_rate=1e-4 seed=3 --out runs/mine
  gend train my.yaml --out runs/mine --resume"""
)(cli_train.train)
app.command(
    "test",
    epilog="""\b
Examples:
  gend test --list
  gend test configs/eval/example.yaml
  gend test configs/eval/example.yaml weights=runs/example/model.safetensors robustness={}
  gend test configs/eval/cdfv2.yaml root=/data/crops --out reports/cdfv2""",
)(cli_test.evaluate)


class _Failures:
    """Tells of each failure as it happens, lets the command go on, and ends it as failed."""

    def __init__(self) -> None:
        self._any = False

    @contextmanager
    def told(self) -> Iterator[None]:
        """Reports what goes wrong inside, and goes on behind."""
        try:
            yield
        except GendError as error:
            _tell(error)
            self._any = True

    def end(self) -> None:
        """Ends the command with exit code 1 where anything went wrong."""
        if self._any:
            raise typer.Exit(1)


def _input_files(paths: Sequence[Path], annotate: Path | None, failures: _Failures) -> list[InputFile]:
    """What is to be scored. Before anything is read or loaded, a folder for copies is tried."""
    from gend.annotate import check_folder  # noqa: PLC0415
    from gend.scoring import distinct, input_files  # noqa: PLC0415

    if annotate is not None:
        try:
            check_folder(annotate)
        except GendError as error:
            raise typer.BadParameter(f"--annotate: {error}") from error
    files: list[InputFile] = []
    for path in paths:
        with failures.told():
            files += input_files(path, annotate)
    if not files:
        raise typer.Exit(1)
    return distinct(files)


def _annotations(folder: Path, encoder: Detector, files: Sequence[InputFile]) -> Annotations:
    from gend.annotate import Annotations  # noqa: PLC0415
    from gend.drawing import foot  # noqa: PLC0415

    return Annotations(folder, foot(encoder), [file.path for file in files])


def _score_files(scorer: FileScorer, files: Sequence[InputFile], failures: _Failures, *, as_json: bool) -> None:
    """Scores one file after the other, and prints what comes out."""
    from gend.progress import FileProgress  # noqa: PLC0415
    from gend.report import json_object, table  # noqa: PLC0415

    scores: list[FileScore] = []
    # Results and progress on one terminal would write over each other.
    progress = FileProgress(len(files), shown=not (as_json and sys.stdout.isatty()))
    try:
        with progress:
            for file in files:
                with failures.told(), progress.file(file.path.name) as frames_done:
                    scored, copy = scorer.score(file, frames_done)
                    if not as_json:
                        scores.append(scored)
                        continue
                    more = {} if copy is None else {"annotated": str(copy)}
                    print(json.dumps(json_object(scored, details=scorer.details, **more)), flush=True)
    finally:  # Ctrl-C does not lose what was done before
        if scores:
            Console().print(table(scores))


def _threads() -> int:
    """For the search for faces, while nothing else runs: beyond four there is little to be had."""
    return min(4, os.cpu_count() or 1)


def _tell(error: GendError) -> None:
    if _DEBUG in sys.argv:
        traceback.print_exception(error)
    for line in str(error).splitlines():
        say("error", line)


if __name__ == "__main__":
    main()
