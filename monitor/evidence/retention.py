"""Hours and megabytes: packages that are too old are removed, and the oldest make room for new ones.

Only what is ours is touched: folders at `<folder>/<stream>/<time>-<alert_id>` that hold our manifest. Links are never
followed, and everything else is left alone and not counted.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.evidence.manifest import PACKAGE_NAME, manifest_of, plain_file, plain_folder
from monitor.stream_config import STREAM_NAME

_log = logging.getLogger("monitor.evidence")

UNFINISHED = ".unfinished"
"""Where packages are while they are made, and while they are removed; swept at the next start."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A package on disk."""

    path: Path
    at: datetime
    bytes: int


class Retention:
    """Keeps the packages within their bounds. Its methods work on the disk, and belong to one thread.

    Args:
        folder: where packages are kept.
        keep_hours: after how many hours one is removed.
        most_bytes: bytes of all of them at the most.
        now: the time of day.

    Attributes:
        bytes: of all packages, when last looked at.
        packages: how many there were then.
        removed: how many were removed, by cause.
    """

    def __init__(self, folder: Path, *, keep_hours: float, most_bytes: int, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._keep = timedelta(hours=keep_hours)
        self._most_bytes = most_bytes
        self._now = now
        self._failing = False
        self.bytes = self.packages = 0
        self.removed = Counter({"hours": 0, "megabytes": 0})

    def fits(self, size: int) -> bool:
        """Whether a package of so many bytes may be kept at all."""
        return size <= self._most_bytes

    def enforce(self, room_for: int = 0) -> bool:
        """Removes what is too old and, the oldest first, what is too much.

        Args:
            room_for: bytes of a package that is about to be added.

        Returns:
            Whether the bounds hold now, that package included. What cannot be removed is logged, once.
        """
        failure: OSError | None = None
        kept, total = [], 0
        oldest_first = sorted(_packages(self._folder), key=lambda package: package.at)
        excess = sum(package.bytes for package in oldest_first) + room_for - self._most_bytes
        for package in oldest_first:
            old = self._now() - package.at > self._keep
            if old or excess > 0:
                try:
                    self._remove(package.path)
                except OSError as error:
                    failure = error
                else:
                    excess -= package.bytes
                    self.removed["hours" if old else "megabytes"] += 1
                    continue
            kept.append(package)
            total += package.bytes
        if failure is not None and not self._failing:
            _log.error("evidence: a package cannot be removed: %s", failure)
        self._failing = failure is not None
        self.packages, self.bytes = len(kept), total
        return failure is None and total + room_for <= self._most_bytes

    def _remove(self, package: Path) -> None:
        # Out of sight first: one that is removed in part would look as if it had been tampered with.
        going = self._folder / UNFINISHED / f"{package.name}.removed"
        if going.exists():
            shutil.rmtree(going)
        package.rename(going)
        shutil.rmtree(going)


def _packages(folder: Path) -> Iterator[Kept]:
    """Every package that is ours."""
    for stream in _folders(folder):
        if not re.fullmatch(STREAM_NAME, stream.name):
            continue
        for path in _folders(stream):
            if PACKAGE_NAME.fullmatch(path.name) and (kept := _kept(path)) is not None:
                yield kept


def _folders(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if plain_folder(path)]
    except OSError:  # gone meanwhile, or not ours to read
        return []


def _kept(path: Path) -> Kept | None:
    try:
        at = datetime.strptime(path.name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if manifest_of(path) is None:
            return None
        return Kept(path, at, sum(file.lstat().st_size for file in path.rglob("*") if plain_file(file)))
    except (OSError, ValueError):
        return None
