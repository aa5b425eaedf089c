"""Reads the files of one checkpoint and says what is wrong with them in one line.

They are safetensors, whole or in shards, or one file as torch saves it (`torch_files.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from safetensors import SafetensorError, safe_open

from gend.errors import WeightsError

if TYPE_CHECKING:  # to look for files needs no torch
    from torch import Tensor

WHOLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
TORCH_FILES = ("model.ckpt", "pytorch_model.bin")
"""What repositories have that hold no safetensors."""
_CHUNK_BYTES = 1 << 20


def weights_files(folder: Path) -> list[Path]:
    """The files that hold the tensors of a checkpoint folder.

    They are `model.safetensors`, or the shards of its index, or the one file that torch saved.

    Raises:
        WeightsError: Where there is neither, the index is not one, or a shard is missing.
    """
    if (folder / WHOLE).is_file():
        return [folder / WHOLE]
    index = folder / INDEX
    if not index.is_file():
        for name in TORCH_FILES:
            if (folder / name).is_file():
                return [folder / name]
        raise WeightsError(f"{folder}: neither {WHOLE} nor {INDEX} is in it")
    shards = set(_weight_map(index).values())
    for shard in shards:
        if Path(shard).name != shard:
            raise WeightsError(f"{index}: shard {shard!r} lies outside its folder")
        if not (folder / shard).is_file():
            raise WeightsError(f"{index}: shard {shard} is missing")
    return [folder / shard for shard in sorted(shards)]


def read_json(path: Path) -> Mapping[str, object]:
    """A JSON object in a file.

    Raises:
        WeightsError: Where it cannot be read or is something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: not readable as JSON ({error})") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path}: not a JSON object")
    return content


def sha256(files: Sequence[Path]) -> str:
    """SHA-256 of the bytes of files, one after the other.

    Raises:
        WeightsError: Where one cannot be read.
    """
    digest = hashlib.sha256()
    for path in files:
        try:
            with path.open("rb") as opened:
                while chunk := opened.read(_CHUNK_BYTES):
                    digest.update(chunk)
        except OSError as error:
            raise WeightsError(f"{path}: cannot be read ({error})") from error
    return digest.hexdigest()


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Has a safetensors file written beside its place and moves it there: it is replaced whole or not at all.

    Args:
        path: where it belongs.
        write: writes it where it is told.

    Raises:
        WeightsError: It cannot be written.
    """
    unfinished = path.with_suffix(".unfinished")
    try:
        unfinished.touch()
        mode = unfinished.stat().st_mode
        write(unfinished)
        unfinished.chmod(mode)  # the library makes files that nobody else may read
        unfinished.replace(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path}: cannot be written ({error})") from error


class Tensors(Protocol):
    """The tensors of one checkpoint."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """What a file says beside its tensors."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of each tensor by name."""

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Each name and its tensor, on the CPU and in the type it is stored in."""

    def sha256(self) -> str:
        """Of the bytes of all files."""


class TensorFiles:
    """Names, shapes and tensors over all files of one checkpoint.

    Raises:
        WeightsError: From every method and the constructor, where a file is not a whole safetensors file.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self.metadata: dict[str, str] = {}
        """What the files' headers say beside the tensors."""
        self.shapes: dict[str, tuple[int, ...]] = {}
        """Shape of each tensor by name."""
        for path in files:
            self._read_header(path)

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Each name and its tensor, one at a time, on the CPU and in the type it is stored in."""
        for path in self._files:
            try:
                with safe_open(path, framework="pt") as opened:
                    for name in opened.keys():  # noqa: SIM118  (not a mapping: it has no iterator)
                        yield name, opened.get_tensor(name)
            except (OSError, SafetensorError) as error:
                raise _unreadable(path, error) from error

    def sha256(self) -> str:
        """SHA-256 of the file's bytes; of several files, of their bytes one after the other in order of name."""
        return sha256(self._files)

    def _read_header(self, path: Path) -> None:
        try:
            with safe_open(path, framework="pt") as opened:
                self.metadata.update(opened.metadata() or {})
                for name in opened.keys():  # noqa: SIM118  (as above)
                    if name in self.shapes:
                        raise WeightsError(f"{path}: tensor {name} is in another shard as well")
                    self.shapes[name] = tuple(opened.get_slice(name).get_shape())
        except (OSError, SafetensorError) as error:
            raise _unreadable(path, error) from error


def _weight_map(index: Path) -> Mapping[str, str]:
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map or not all(isinstance(v, str) for v in weight_map.values()):
        raise WeightsError(f"{index}: no weight_map that names files")
    return weight_map


def _unreadable(path: Path, error: Exception) -> WeightsError:
    return WeightsError(f"{path}: not a whole safetensors file ({error})")
