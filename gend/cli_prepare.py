"""`gend prepare`: aligned crops of the faces in videos and pictures, with lists and a manifest of them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from gend.cli_options import FaceDetectorOption
from gend.errors import GendError

_NATIVE = "native"


def _show_layouts(wanted: bool) -> None:
    if not wanted:
        return
    from gend.data.layout import layout_names, load_layout  # noqa: PLC0415

    table = Table("layout", "data set", "what it is")
    for name in layout_names():
        layout = load_layout(name)
        table.add_row(name, layout.dataset, f"{layout.about}\n{layout.home or ''}".rstrip())
    Console().print(table)
    raise typer.Exit


def _side_px(text: str) -> str:
    if text != _NATIVE and not (text.isdecimal() and 16 <= int(text) <= 2048):
        raise typer.BadParameter(f"{text}: expected {_NATIVE}, or a number of pixels from 16 to 2048")
    return text


def prepare(
    src: Annotated[Path, typer.Argument(help="A folder of videos and pictures, or one of them.", metavar="SRC")],
    out: Annotated[Path, typer.Argument(help="Where the crops go: a new folder, or one made so.", metavar="OUT")],
    *,
    layout: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="How a data set lies in SRC: see --list and docs/data.md.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(metavar="NAME", help="Folder in OUT.", show_default="the layout's, or SRC's name")
    ] = None,
    mode: Annotated[
        Literal["fixed_num_frames", "fixed_stride", "at_least"] | None,
        typer.Option(
            help="Which frames of a video: N spread evenly, every K-th, or as many as give N faces.",
            show_default="fixed_num_frames, or fixed_stride with --stride",
        ),
    ] = None,
    frames: Annotated[
        int | None, typer.Option(metavar="N", help="Frames of a video, or its faces.", min=1, show_default="32")
    ] = None,
    stride: Annotated[int | None, typer.Option(metavar="K", help="For fixed_stride.", min=1)] = None,
    detector: FaceDetectorOption = "auto",
    threshold: Annotated[float, typer.Option(help="Least confidence of a face.", min=0, max=1)] = 0.5,
    min_face_px: Annotated[int, typer.Option(metavar="PX", help="Leave out narrower faces.", min=1)] = 40,
    scale: Annotated[float, typer.Option(help="How much wider than the bare face a crop is.", min=0.5, max=4)] = 1.3,
    size: Annotated[
        str, typer.Option(metavar="PX|native", callback=_side_px, help="Side of a crop; native is as in the video.")
    ] = _NATIVE,
    masks: Annotated[
        bool, typer.Option("--masks/--no-masks", help="Where a video has a mask, take the face that it shows.")
    ] = True,
    alone: Annotated[
        bool, typer.Option("--alone", help="Every picture is a video of one frame, also in folders of frames.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Processes that work at once.", min=1, show_default="one per core")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
    _list: Annotated[
        bool, typer.Option("--list", callback=_show_layouts, is_eager=True, help="Show the known layouts, and end.")
    ] = False,
) -> None:
    """Cut aligned crops of faces out of videos and pictures, with lists and a manifest.

    SRC/<source>/<video> becomes OUT/<dataset>/<source>/<video>/<frame>.png; a source whose name contains `real` is
    real, any other one manipulated. Stopped at any moment, the same command goes on where it was.
    """
    if mode not in {None, "fixed_stride"} and stride is not None:
        raise typer.BadParameter(f"--stride is for fixed_stride, not for {mode}")
    mode = mode or ("fixed_num_frames" if stride is None else "fixed_stride")
    if mode == "fixed_stride" and (frames is not None or stride is None):
        raise typer.BadParameter("fixed_stride takes --stride, and no --frames")
    if layout is not None and alone:
        raise typer.BadParameter("--alone is for folders without a layout")

    from gend.cli_prepare_lines import Lines, json_object, print_tables  # noqa: PLC0415
    from gend.data.extract import Cut  # noqa: PLC0415
    from gend.data.prepare import Request  # noqa: PLC0415
    from gend.data.prepare import prepare as run  # noqa: PLC0415
    from gend.data.spread import FrameChoice  # noqa: PLC0415

    choice = FrameChoice(mode, frames or FrameChoice().frames, stride or 1)
    side_px = None if size == _NATIVE else int(size)
    cut = Cut(frames=choice, scale=scale, size=side_px, min_face_px=min_face_px, masks=masks)
    request = Request(layout, dataset, alone, detector, threshold, cut)
    # Results and progress on one terminal would write over each other.
    with Lines(shown=not (as_json and sys.stdout.isatty())) as lines:
        try:
            prepared = run(src, out, request, workers=workers or _cores(), watcher=lines)
        except KeyboardInterrupt:
            lines.interrupted()
            raise
    lines.rest(prepared)
    if as_json:
        print(json.dumps(json_object(prepared), ensure_ascii=False))
    else:
        print_tables(prepared)
    if not prepared.crops:
        raise GendError(f"{src}: no crops came of it")
    if prepared.failed:
        raise typer.Exit(1)


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
