"""Reads tensors out of what torch saved, without ever running what is in the file.

`torch.save` writes a pickle, and a pickle is a program: it names functions and has them called. `torch.load` refuses
unknown names altogether (checkpoints of Lightning are full of their authors' classes) or runs them; `torch.jit.load`
runs the code of a TorchScript. Here a pickle may name what builds tensors and ordered dicts, and every other name
becomes an `Inert` record that keeps what it is given and does nothing.

Format: a zip archive, nothing of it compressed, with `<name>/data.pkl` and the bytes of each storage in
`<name>/data/<key>` (torch/csrc/jit/serialization/docs/serialization.md).
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from gend.errors import WeightsError
from gend.tensor_files import sha256

_PICKLE_BYTES = 256 << 20
_DEEPEST = 64
_STORED_AS: Mapping[str, torch.dtype] = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class Inert:
    """What stands in the place of an object of a class that is not trusted.

    Attributes:
        arguments: what its class was called with.
        state: what it was to be filled with.
    """

    def __new__(cls, *arguments: object, **_named: object) -> Self:
        """Takes whatever the pickle has for the class it thinks this is."""
        record = super().__new__(cls)
        record.arguments = arguments
        record.state = {}
        return record

    arguments: tuple[object, ...]
    state: object

    def __init__(self, *_arguments: object, **_named: object) -> None: ...

    def __setstate__(self, state: object) -> None:
        self.state = state

    def append(self, item: object) -> None:
        """As a list would be filled."""

    def extend(self, items: object) -> None:
        """As a list would be filled."""

    def add(self, item: object) -> None:
        """As a set would be filled."""

    def __setitem__(self, key: object, value: object) -> None:
        if isinstance(self.state, dict):
            self.state[key] = value


class TorchFile:
    """The tensors of one file as torch saves it, by dotted name, and whatever else is in it, inert.

    Names are the keys of dicts, or the attributes of a saved module, that lead to a tensor. Of a checkpoint of
    Lightning only its `state_dict` counts.

    Args:
        path: a file of `torch.save` or `torch.jit.save`.

    Raises:
        WeightsError: Where it is no such file, it is damaged, or it says nonsense.
    """

    metadata: Mapping[str, str] = {}

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with zipfile.ZipFile(path) as archive:
                self._content = _Unpickler(archive).load()
        except zipfile.BadZipFile as error:
            raise WeightsError(f"{path}: not a file of torch.save (or one of before torch 1.6)") from error
        except OSError as error:
            raise WeightsError(f"{path}: cannot be read ({error})") from error
        except Exception as error:
            # A pickle that says nonsense makes the unpickler raise anything: TypeError, KeyError, RecursionError, …
            raise WeightsError(f"{path}: not to be made sense of as a file of torch.save ({error})") from error
        state = self._content.get("state_dict") if isinstance(self._content, Mapping) else None
        self._tensors: dict[str, Tensor] = {}
        _collect(self._content if state is None else state, "", self._tensors, _DEEPEST)
        self.shapes: dict[str, tuple[int, ...]] = {name: tuple(each.shape) for name, each in self._tensors.items()}

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Each name and its tensor, on the CPU and in the type it is stored in."""
        yield from self._tensors.items()

    def sha256(self) -> str:
        """SHA-256 of the file's bytes."""
        return sha256([self._path])

    def setting(self, name: str) -> str | None:
        """A word among what was saved beside the tensors: the hyper-parameter of that name, wherever it stands."""
        if not isinstance(self._content, Mapping):
            return None
        return _word({key: value for key, value in self._content.items() if key != "state_dict"}, name, _DEEPEST)


def _collect(item: object, name: str, found: dict[str, Tensor], depth: int) -> None:
    if isinstance(item, Tensor):
        found[name] = item
    elif depth and (parts := item.state if isinstance(item, Inert) else item) and isinstance(parts, Mapping):
        for key, part in parts.items():
            if isinstance(key, str):
                _collect(part, f"{name}.{key}" if name else key, found, depth - 1)


def _word(item: object, name: str, depth: int) -> str | None:
    """The text under the key `name`, at any depth; an inert record's is the text it was made of (an enum's value)."""
    parts = item.state if isinstance(item, Inert) else item
    if not depth or not isinstance(parts, Mapping):
        return None
    value = parts.get(name)
    if isinstance(value, Inert) and len(value.arguments) == 1:
        [value] = value.arguments
    if isinstance(value, str):
        return value
    words = (_word(part, name, depth - 1) for part in parts.values())
    return next((word for word in words if word is not None), None)


class _Unpickler(pickle.Unpickler):
    """Reads `data.pkl` of an archive."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        pickles = [info for info in archive.infolist() if info.filename.count("/") == 1 and _is_pickle(info)]
        if len(pickles) != 1:
            raise ValueError("it holds no data.pkl")
        if pickles[0].file_size > _PICKLE_BYTES:
            raise ValueError(f"its data.pkl is of {pickles[0].file_size} bytes")
        super().__init__(io.BytesIO(_stored(archive, pickles[0].filename)))
        self._archive = archive
        self._root = pickles[0].filename.removesuffix("data.pkl")
        self._storages: dict[str, Tensor] = {}
        order = f"{self._root}byteorder"
        if order in archive.namelist() and archive.read(order) != b"little":
            raise ValueError("its numbers are big-endian")

    def find_class(self, module: str, name: str) -> Callable[..., object] | torch.dtype:
        """What a name stands for: a builder of tensors, a kind of storage, or an inert record."""
        match module, name:
            case "collections", "OrderedDict":
                return OrderedDict
            case "torch._utils", "_rebuild_tensor_v2":
                return _tensor
            case "torch._utils", "_rebuild_parameter":
                return _parameter
            case "torch", _ if name in _STORED_AS:
                return _STORED_AS[name]
        return type(name.rpartition(".")[2] or "Inert", (Inert,), {"__module__": module})

    def persistent_load(self, pid: object) -> Tensor:
        """One storage, as a tensor of one axis."""
        match pid:
            case ("storage", torch.dtype() as dtype, str(key), _, int(numel)):
                pass
            case _:
                raise ValueError(f"a storage of an unknown kind: {pid!r:.80}")
        if key not in self._storages:
            content = bytearray(_stored(self._archive, f"{self._root}data/{key}"))
            self._storages[key] = torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
        storage = self._storages[key]
        if storage.dtype != dtype or len(storage) != numel:
            raise ValueError(f"storage {key} has {len(storage)} numbers of {storage.dtype}, not {numel} of {dtype}")
        return storage


def _is_pickle(info: zipfile.ZipInfo) -> bool:
    return info.filename.endswith("/data.pkl")


def _stored(archive: zipfile.ZipFile, name: str) -> bytes:
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:  # torch never does that; a bomb would
        raise ValueError(f"{name} is compressed")
    return archive.read(info)


def _tensor(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> Tensor:
    return storage.as_strided(size, stride, offset)  # a view, whatever size it claims; checked against the storage


def _parameter(tensor: Tensor, *_: object) -> Tensor:
    return tensor
