"""`gend export` and `gend compare`: networks for other runtimes, and how far their answers are from the original's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from gend.cli_options import FaceDetectorOption
from gend.cli_terminal import say
from gend.errors import GendError

if TYPE_CHECKING:
    from gend.compare import Comparison
    from gend.face_crops import AlignedFace, FaceFile
    from gend.faces import FaceDetector

T = TypeVar("T")

_CALIBRATION = 300
"""Crops that int8's scales are measured on; more change them little (nncf's own choice)."""


def export(
    weights: Annotated[str, typer.Argument(help="A detector: demo, a hub id, a folder or a file.")],
    *,
    out: Annotated[Path, typer.Option(help="Folder to write; made, or empty.")],
    to: Annotated[Literal["openvino", "onnx"], typer.Option(help="For which runtime.")] = "openvino",
    precision: Annotated[
        Literal["fp32", "bf16", "int8"], typer.Option(help="Of matrix products; int8 needs --pictures.")
    ] = "fp32",
    pictures: Annotated[
        list[Path] | None, typer.Option(help="For int8: faces its scales are measured on; may be repeated.")
    ] = None,
    aligned: Annotated[bool, typer.Option("--aligned", help="Each picture is a face that is aligned already.")] = False,
    detector: FaceDetectorOption = "auto",
    most: Annotated[int, typer.Option("--crops", metavar="N", help="Use N faces at most.", min=1)] = _CALIBRATION,
) -> None:
    """Write a detector as OpenVINO IR or ONNX: uint8 crops in, log-odds of fake out."""
    if precision == "int8" and not pictures:
        raise typer.BadParameter("--precision int8 needs --pictures")
    if pictures and precision != "int8":
        raise typer.BadParameter("--pictures are for --precision int8")
    if to == "onnx" and precision != "fp32":
        raise typer.BadParameter("--to onnx is fp32")

    from gend.checkpoint import load_checkpoint  # noqa: PLC0415
    from gend.export import export as write  # noqa: PLC0415
    from gend.face_crops import face_files  # noqa: PLC0415
    from gend.preprocess import encoder_input  # noqa: PLC0415

    checkpoint = load_checkpoint(weights)
    backbone, crops = checkpoint.backbone, []
    if pictures:
        files = face_files(pictures, most)
        failures = _Failures()
        for face in _faces(files, None if aligned else _detector(detector), failures):
            crops.append(encoder_input(face.pixels, backbone.input_px, interpolation=backbone.interpolation))
            if len(crops) == most:
                break
        if not crops:
            raise GendError("no faces in these pictures")
        say("calibration", f"{len(crops)} faces")
    with Console(stderr=True).status(f"writing {out}"):
        exported = write(checkpoint, out, to, precision, weights=weights, calibration=crops)
    print(f"{out}: {exported.model.name}, {sum(file.stat().st_size for file in out.iterdir()) / 1e6:,.0f} MB")


def compare(
    a: Annotated[str, typer.Argument(help="WEIGHTS[@ENGINE[:PRECISION]], or a folder of gend export.")],
    b: Annotated[str, typer.Argument(help="Likewise.")],
    pictures: Annotated[list[Path], typer.Argument(help="Pictures or videos of faces, or folders of them.")],
    *,
    aligned: Annotated[bool, typer.Option("--aligned", help="Each picture is a face that is aligned already.")] = False,
    detector: FaceDetectorOption = "auto",
    most: Annotated[int, typer.Option("--files", metavar="N", help="Look at N files at most.", min=1)] = 2000,
    max_drift: Annotated[
        float | None, typer.Option(metavar="LOGITS", help="Exit with 1 where any logit differs by more.", min=0)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say how far two detectors' logits are apart on the same faces.

    Where B is an int8 folder of A's own weights, and there are 32 faces or more, the answer is kept: engine auto then
    takes int8 where it drifts by no more than max_logit_drift.
    """
    from gend.compare import compare as run  # noqa: PLC0415
    from gend.compare import report_of  # noqa: PLC0415
    from gend.engines.reports import save_report  # noqa: PLC0415
    from gend.engines.spec import Spec  # noqa: PLC0415
    from gend.face_crops import face_files  # noqa: PLC0415

    first, second = Spec.parse(a), Spec.parse(b)
    files = face_files(pictures, most)
    faces = None if aligned else _detector(detector)
    failures = _Failures()
    comparison = run(first, second, lambda: _faces(files, faces, failures))
    report = report_of(comparison, second)
    if report is not None:
        say("kept", f"{save_report(report)}: int8 counts where max_logit_drift is {report.max_drift:.3g} or more")
    if as_json:
        figures = asdict(comparison.figures) | {"auroc_difference": comparison.figures.auroc_difference}
        print(json.dumps(asdict(comparison) | {"figures": figures}))
    else:
        Console().print(_table(comparison))
    too_far = max_drift is not None and comparison.figures.max_drift > max_drift
    if too_far:
        say("error", f"a logit differs by {comparison.figures.max_drift:.3g}, more than {max_drift:g}")
    if too_far or failures.any:
        raise typer.Exit(1)


class _Failures:
    """Tells of each file that cannot be read, once."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    @property
    def any(self) -> bool:
        """Whether there was one."""
        return bool(self._told)

    def __call__(self, error: GendError) -> None:
        if str(error) not in self._told:
            say("error", str(error))
        self._told.add(str(error))


def _detector(name: str) -> FaceDetector:
    from gend.faces import load_detector  # noqa: PLC0415

    return load_detector(name, warn=lambda line: say("warning", line))


def _faces(
    files: Sequence[FaceFile], faces: FaceDetector | None, failed: Callable[[GendError], None]
) -> Iterator[AlignedFace]:
    from gend.face_crops import aligned_faces  # noqa: PLC0415

    for file in _tracked(files):
        yield from aligned_faces([file], faces, failed)


def _tracked(items: Sequence[T]) -> Iterable[T]:
    console = Console(stderr=True)
    return track(items, "files", console=console, transient=True, disable=not console.is_terminal)


def _table(comparison: Comparison) -> Table:
    figures = comparison.figures
    table = Table("", "A", "B", title=f"{comparison.crops} crops, {comparison.real} real, {comparison.fake} fake")
    a, b = comparison.a, comparison.b
    table.add_row("detector", a.name, b.name)
    table.add_row("weights", a.weights_sha256[:16], b.weights_sha256[:16])
    table.add_row("engine", f"{a.engine} {a.precision}", f"{b.engine} {b.precision}")
    table.add_row("AUROC", _number(figures.auroc_a), _number(figures.auroc_b), end_section=True)
    table.add_row("largest drift of a logit", "", f"{figures.max_drift:.3g}")
    table.add_row("mean drift", "", f"{figures.mean_drift:.3g}")
    table.add_row("rank correlation", "", _number(figures.rank_correlation))
    table.add_row("AUROC difference", "", _number(figures.auroc_difference))
    return table


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"
