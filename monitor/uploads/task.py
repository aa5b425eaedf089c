"""What the process that scores a file is told, and what it says: JSON, a line each."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gend.tally import FileScore


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
    path: str
    frames: int | None
    stride: int | None
    largest: bool
    min_face_px: int


class Said(_Line):
    """One line of the process: how far it is, what came out, or why nothing does."""

    done: int = 0
    due: int = 0
    result: FileScore | None = None
    error: str | None = Field(default=None)
