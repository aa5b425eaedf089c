"""Where the files of a checkpoint are: by a path, a hub id or `demo`. Nothing is opened, and no torch is needed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from gend.errors import WeightsError
from gend.hub import checkpoint_folder
from gend.tensor_files import WHOLE, weights_files

DEMO_WEIGHTS = Path(__file__).parent / "weights" / "demo.safetensors"
TORCH_SUFFIXES = (".ckpt", ".torchscript", ".pt", ".pth", ".bin")
"""What torch saves is called so."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


class Located(NamedTuple):
    """The files of a checkpoint."""

    files: list[Path]
    """One, or the shards in order of name."""
    config: Path | None
    """Its config.json, where there is one."""


def locate(weights: str | Path) -> Located:
    """The files that a name stands for; from the hub they are fetched where the cache lacks them.

    Raises:
        WeightsError: There are none.
    """
    if weights == "demo":
        if not DEMO_WEIGHTS.is_file():
            raise WeightsError("demo: this installation lacks gend/weights/demo.safetensors")
        return Located([DEMO_WEIGHTS], None)
    path = Path(weights).expanduser()
    if path.is_dir():
        return _in_folder(path)
    if path.is_file():
        if path.suffix not in (".safetensors", *TORCH_SUFFIXES):
            kinds = ", ".join((".safetensors", *TORCH_SUFFIXES))
            raise WeightsError(f"{weights}: not a file of weights by its ending; {kinds} are read")
        beside = path.parent / "config.json"
        return Located([path], beside if path.name == WHOLE and beside.is_file() else None)
    looks_like_file = path.suffix in (".safetensors", *TORCH_SUFFIXES)
    if isinstance(weights, str) and _HUB_ID.fullmatch(weights) and not looks_like_file:
        return _in_folder(checkpoint_folder(weights))
    raise WeightsError(f"{weights}: no such file or folder (nor `demo`, nor a hub id of the form owner/name)")


def _in_folder(folder: Path) -> Located:
    config = folder / "config.json"
    return Located(weights_files(folder), config if config.is_file() else None)
