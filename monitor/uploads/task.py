"""What the process that scores a file is told, and what it says: JSON, a line each."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gend.tally import FileScore
from monitor.uploads.job import KeyPicture, Wish


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Judge(_Line):
    """By what files are scored: as the streams are."""

    weights: str
    engine: Literal["auto", "torch", "openvino"]
    precision: Literal["auto", "fp32", "bf16", "int8"]
    device: Literal["auto", "cpu", "cuda"]
    max_logit_drift: float
    face_detector: str


class Task(_Line):
    """One file."""

    judge: Judge
    folder: str
    """Where the file lies, as `UPLOAD`, and everything that is made of it goes."""
    wish: Wish
    adapter_file: str | None
    """Of `wish.adapter`."""


class Said(_Line):
    """One line of the process: how far it is, what came out, or why nothing does."""

    done: int = 0
    due: int = 0
    result: FileScore | None = None
    pictures: tuple[KeyPicture, ...] = ()
    annotated: str | None = None
    error: str | None = Field(default=None)


UPLOAD = "upload"
"""The file as it was sent."""


def picture_name(frame: int) -> str:
    """Name of the file of a frame that is kept."""
    return f"{frame}.jpg"
