"""The folder that crops are written to: who may, and how a video gets there in one step."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gend.data.extract import CannotWriteError
from gend.errors import ConfigError, GendError

STATE = ".prepare"
"""Folder in it for what is done, and what is being worked on."""


def check_out(root: Path, out: Path) -> None:
    """Refuses a folder that is somebody else's.

    Args:
        root: what is prepared.
        out: where the crops go.

    Raises:
        ConfigError: it is.
    """
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out}: crops are written to a folder, and this is none")
    if root.resolve().is_relative_to(out.resolve()):
        raise ConfigError(f"{out}: crops cannot be written over what they are cut from; choose another folder")
    if out.is_dir() and not (out / STATE).is_dir() and any(out.iterdir()):
        raise ConfigError(f"{out}: not empty, and not made by gend prepare; choose a new folder")


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keeps all others out; the system opens the lock when this process ends, in whatever way.

    Raises:
        GendError: another one is inside.
        CannotWriteError: nothing can be written there.
    """
    state = out / STATE
    try:
        state.mkdir(parents=True, exist_ok=True)
        lock = (state / "lock").open("w")
    except OSError as error:
        raise CannotWriteError(f"{out}: cannot be written ({error.strerror})") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise GendError(f"{out}: another gend prepare writes there") from error
        except OSError as error:
            raise CannotWriteError(f"{out}: cannot be locked ({error.strerror})") from error
        yield


def move(folder: Path, target: Path) -> None:
    """Moves a video's folder to its place.

    Raises:
        CannotWriteError: it cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
    except OSError as error:
        raise CannotWriteError(f"{target}: cannot be written ({error.strerror})") from error


def remove(folder: Path) -> None:
    """Removes a folder, if there is one.

    Raises:
        CannotWriteError: it cannot be removed.
    """
    if not folder.exists():
        return
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise CannotWriteError(f"{folder}: cannot be removed ({error.strerror})") from error


@contextmanager
def workplace(out: Path) -> Iterator[Path]:
    """A folder for what is not done yet; what others left behind is removed.

    Raises:
        CannotWriteError: there can be none.
    """
    state = out / STATE
    for left in state.glob("work-*"):
        remove(left)
    try:
        folder = Path(tempfile.mkdtemp(prefix="work-", dir=state))
    except OSError as error:
        raise CannotWriteError(f"{state}: cannot be written ({error.strerror})") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # else the next run does it
