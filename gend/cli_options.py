"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from gend.face_detectors import SENTENCE, is_face_detector


def _known(name: str) -> str:
    if not is_face_detector(name):
        raise typer.BadParameter(f"{name}: no such face detector; {SENTENCE}")
    return name


FaceDetectorOption = Annotated[
    str,
    typer.Option(
        "--detector",
        metavar="NAME",
        callback=_known,
        help="What finds the faces: yunet, blazeface, scrfd or scrfd:FILE; auto is yunet, or blazeface where that "
        "cannot be fetched.",
    ),
]
