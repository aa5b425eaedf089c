"""The command line of the detector. Exit codes: 0 done, 1 ran and failed, 2 bad usage.

What is heavy is imported by the command that needs it, so that `--help` is quick. A file that cannot be scored and a
name that cannot be fetched are one line on stderr each; the others are done all the same, and the exit code is 1.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from gend.errors import GendError

if TYPE_CHECKING:
    from gend.score import FileScore

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
        sys.exit(1)


@app.command(epilog="Examples: gend score photo.jpg --weights demo; gend score footage/ --json > scores.jsonl")
def score(
    paths: Annotated[list[Path], typer.Argument(help="Pictures, videos, or folders of them.")],
    weights: Annotated[
        str, typer.Option(help="demo, a hub id, a folder or a .safetensors file.")
    ] = "yermandy/GenD_CLIP_L_14",
    detector: Annotated[
        Literal["auto", "yunet", "blazeface"],
        typer.Option(help="What finds the faces; auto is yunet, or blazeface where that cannot be fetched."),
    ] = "auto",
    frames: Annotated[int, typer.Option(help="Frames looked at in a video, spread over it.", min=1, max=10_000)] = 32,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per file, as it is done.")] = False,
) -> None:
    """Score every face of pictures and videos."""
    from gend.faces import load_detector  # noqa: PLC0415
    from gend.media import media_files  # noqa: PLC0415
    from gend.model import Detector  # noqa: PLC0415
    from gend.score import score_file  # noqa: PLC0415

    failures = _Failures()
    files: list[Path] = []
    for path in paths:
        with failures.told():
            files += media_files(path)
    if not files:
        raise typer.Exit(1)

    face_detector = load_detector(detector, warn=lambda line: _say("warning", line))
    encoder = Detector.load(weights)
    for notice in encoder.notices:
        _say("notice", notice)

    scores: list[FileScore] = []
    progress = Console(stderr=True)
    for number, file in enumerate(files, start=1):
        with failures.told():
            with progress.status(escape(f"{number} of {len(files)}: {file}")):
                scored = score_file(file, encoder, face_detector, frames=frames)
            scores.append(scored)
            if as_json:
                print(json.dumps(asdict(scored)), flush=True)
    if scores and not as_json:
        Console().print(_table(scores))
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


def _table(scores: Sequence[FileScore]) -> Table:
    table = Table(Column("file", overflow="fold"), "frames", "faces", "mean p(fake)", "median p(fake)")
    for scored in scores:
        table.add_row(
            escape(scored.path), str(scored.frames), str(scored.faces), _share(scored.mean), _share(scored.median)
        )
        if len(scored.tracks) > 1:
            for track in scored.tracks:
                table.add_row(f"  face {track.id}", str(track.frames), "", _share(track.mean), _share(track.median))
    return table


def _share(value: float | None) -> str:
    return "no face" if value is None else f"{value:.3f}"


def _say(kind: str, line: str) -> None:
    print(f"{kind}: {line}", file=sys.stderr)


def _tell(error: GendError) -> None:
    if _DEBUG in sys.argv:
        traceback.print_exception(error)
    for line in str(error).splitlines():
        _say("error", line)


if __name__ == "__main__":
    main()
