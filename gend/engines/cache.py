"""Networks converted for OpenVINO, kept under the cache folder: converting a ViT-L takes half a minute.

An entry is a folder as `gend.export` writes it, named by the SHA-256 of the weights, the precision, and the version
of what converted it. It is checked file by file at each start and made anew where it is not whole. It is half as
large as the weights in bf16 and as large in fp32; when one is written, those that other versions made of the same
weights are removed. Nothing is lost when the folder is deleted.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from gend.engines import Precision
from gend.engines.exported import FORMAT, Exported, read_exported
from gend.errors import GendError, WeightsError
from gend.fetch import cache_folder

_log = logging.getLogger(__name__)

_GRAPH = 1
"""Counts changes of the graph that `gend.export` writes."""
_CONVERT_S = 1800


def converted(weights: str, sha256: str, precision: Precision) -> Exported:
    """A checkpoint as OpenVINO runs it: from the cache, or converted now, in a process that is gone afterwards.

    Args:
        weights: as `load_checkpoint` takes them.
        sha256: of their files.
        precision: `fp32` or `bf16`.

    Raises:
        WeightsError: They cannot be read or converted.
        GendError: The cache cannot be written, or torch, which converts, is missing.
    """
    entry = cache_folder() / "engines" / f"{_stem(sha256, precision)}-{_converter()}"
    found = _read(entry, sha256)
    if found is not None:
        return found
    if find_spec("torch") is None:
        raise GendError(f"{weights}: to convert it needs torch, once: pip install 'gend-monitor[torch]'")
    _log.info("converting %s to OpenVINO %s; kept in %s", weights, precision, entry.parent)
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=entry.parent, prefix=".") as beside:
            made = Path(beside) / "made"
            _convert(weights, precision, made)
            read_exported(made)  # a full disk does not always tell
            _put(made, entry)
    except OSError as error:
        raise GendError(
            f"{entry.parent}: cannot keep the converted network ({error.strerror}); GEND_CACHE names another folder"
        ) from error
    for other in entry.parent.glob(f"{_stem(sha256, precision)}-*"):
        if other != entry:
            shutil.rmtree(other, ignore_errors=True)
    exported = read_exported(entry)
    if exported.manifest.weights_sha256 != sha256:
        raise WeightsError(f"{weights}: has changed while it was converted")
    return exported


def _stem(sha256: str, precision: Precision) -> str:
    return f"{sha256[:32]}-{precision}"


def _converter() -> str:
    return f"{FORMAT}.{_GRAPH}-openvino{version('openvino')}"


def _read(entry: Path, sha256: str) -> Exported | None:
    if not entry.is_dir():
        return None
    try:
        exported = read_exported(entry)
    except WeightsError as error:
        _log.warning("%s; converting anew", error)
        return None
    return exported if exported.manifest.weights_sha256 == sha256 else None


def _convert(weights: str, precision: Precision, folder: Path) -> None:
    command = [sys.executable, "-m", "gend.engines.convert", weights, precision, str(folder)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_CONVERT_S)  # noqa: S603  (no shell)
    except subprocess.TimeoutExpired as error:
        raise WeightsError(f"{weights}: not converted after {_CONVERT_S} s") from error
    if done.returncode < 0:
        raise WeightsError(f"{weights}: converting it was killed by signal {-done.returncode}; memory may be short")
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise WeightsError(said[-1] if done.returncode == 1 else f"{weights}: cannot be converted ({said[-1]})")


def _put(made: Path, entry: Path) -> None:
    """Moves a folder to its place in one step; what was there was not whole, or somebody was quicker."""
    if entry.exists():
        entry.rename(made.with_name("before"))
    try:
        made.rename(entry)
    except OSError:
        if not entry.is_dir():  # else another process put the same there in between
            raise
