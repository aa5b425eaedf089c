"""A converted network as a folder: what it is, its files with their hashes, and its own fine-tune.

Such folders are written by `gend.export`, for people and for the cache of converted networks alike. They are read
without torch, and a folder that is not whole is never run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, TypeVar, get_args

from gend.adapter import Adapter, load_adapter
from gend.engines import Precision
from gend.errors import WeightsError
from gend.resample import Interpolation
from gend.tensor_files import read_json, sha256

MANIFEST = "gend-engine.json"
"""Written last: a folder without it is no export."""
OWN = "own.safetensors"
"""LayerNorms and head of the checkpoint itself, as an adapter."""
FORMAT = 1
Kind = Literal["openvino", "onnx"]

_FILES: Mapping[Kind, tuple[str, ...]] = {"openvino": ("model.xml", "model.bin"), "onnx": ("model.onnx",)}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the scales of an int8 network were measured on."""

    crops: int
    sha256: str
    """Of the crops' pixels, one after the other."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a converted network is."""

    kind: Kind
    precision: Precision
    weights: str
    """As they were asked for."""
    weights_sha256: str
    backbone: str
    input_px: int
    interpolation: Interpolation
    mixes: bool
    """Whether it takes LayerNorms and head of each picture as inputs."""
    notices: tuple[str, ...] = ()
    calibration: Calibration | None = None
    made_with: Mapping[str, str] = field(default_factory=dict)
    """Version of each library that had a part in it."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A folder with a converted network."""

    folder: Path
    manifest: Manifest
    files: Mapping[str, str]
    """SHA-256 by name."""

    @property
    def model(self) -> Path:
        """The file to hand to a library."""
        return self.folder / _FILES[self.manifest.kind][0]

    @property
    def sha256(self) -> str:
        """Of everything that its answers depend on: any other conversion has another."""
        said = json.dumps([sorted(self.files.items()), asdict(self.manifest)["calibration"]])
        return hashlib.sha256(said.encode()).hexdigest()

    def own(self) -> Adapter:
        """The checkpoint's own fine-tune."""
        return load_adapter(self.folder / OWN)


def is_exported(folder: str | Path) -> bool:
    """Whether a name is that of a folder with a converted network."""
    return (Path(folder).expanduser() / MANIFEST).is_file()


def write_manifest(folder: Path, manifest: Manifest) -> Exported:
    """Declares what is in a folder to be a converted network: writes its manifest.

    Raises:
        WeightsError: It cannot be written.
    """
    files = {path.name: sha256([path]) for path in sorted(folder.iterdir()) if path.name != MANIFEST}
    content = {"format": FORMAT, **asdict(manifest), "files": files}
    try:
        (folder / MANIFEST).write_text(json.dumps(content, indent=2) + "\n")
    except OSError as error:
        raise WeightsError(f"{folder}: cannot be written ({error})") from error
    return Exported(folder, manifest, files)


def read_exported(folder: str | Path) -> Exported:
    """Reads a manifest and checks every file against it.

    Raises:
        WeightsError: There is none, it is damaged, or a file is missing or is another.
    """
    folder = Path(folder).expanduser()
    path = folder / MANIFEST
    content = read_json(path)
    if content.get("format") != FORMAT:
        raise WeightsError(f"{path}: its format is {content.get('format')!r}; this version reads {FORMAT}")
    files = _mapping(path, content, "files")
    calibration = content.get("calibration")
    manifest = Manifest(
        kind=_one_of(path, content, "kind", get_args(Kind)),
        precision=_one_of(path, content, "precision", get_args(Precision)),
        weights=_typed(path, content, "weights", str),
        weights_sha256=_typed(path, content, "weights_sha256", str),
        backbone=_typed(path, content, "backbone", str),
        input_px=_typed(path, content, "input_px", int),
        interpolation=_one_of(path, content, "interpolation", get_args(Interpolation)),
        mixes=_typed(path, content, "mixes", bool),
        notices=tuple(map(str, _typed(path, content, "notices", list))),
        calibration=None if calibration is None else _calibration(path, calibration),
        made_with=_mapping(path, content, "made_with"),
    )
    exported = Exported(folder, manifest, files)
    if missing := {*_FILES[manifest.kind], OWN} - files.keys():
        raise WeightsError(f"{path}: damaged: it does not list {', '.join(sorted(missing))}")
    for name, due in files.items():
        if Path(name).name != name:
            raise WeightsError(f"{path}: damaged: file {name!r} lies outside its folder")
        if sha256([folder / name]) != due:
            raise WeightsError(f"{folder / name}: damaged: not the file that {MANIFEST} was written for")
    return exported


def _typed(path: Path, content: Mapping[str, object], key: str, kind: type[T]) -> T:
    value = content.get(key)
    if not isinstance(value, kind):
        raise WeightsError(f"{path}: damaged: {key} is {value!r}")
    return value


def _one_of(path: Path, content: Mapping[str, object], key: str, known: tuple[T, ...]) -> T:
    for each in known:
        if content.get(key) == each:
            return each
    raise WeightsError(f"{path}: damaged: {key} is {content.get(key)!r}, not one of {', '.join(map(str, known))}")


def _mapping(path: Path, content: Mapping[str, object], key: str) -> dict[str, str]:
    return {str(name): str(value) for name, value in _typed(path, content, key, dict).items()}


def _calibration(path: Path, content: object) -> Calibration:
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path}: damaged: calibration is {content!r}")
    return Calibration(_typed(path, content, "crops", int), _typed(path, content, "sha256", str))
