"""The thread that writes packages and keeps them within their bounds. It may be slow: alerts do not wait for it."""

from __future__ import annotations

import fcntl
import logging
import os
import queue
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from monitor.config import EvidenceConfig
from monitor.errors import EvidenceError
from monitor.evidence.manifest import Provenance, plain_file, plain_folder
from monitor.evidence.package import Case, FoundClip, Package, make_package, write_package
from monitor.evidence.retention import UNFINISHED, Retention
from monitor.evidence.signing import load_signer
from monitor.logs import of_stream
from monitor.messages import Clip
from monitor.redact import one_line

_log = logging.getLogger("monitor.evidence")

_WAITING = 8
_CLIP_S = 10.0
"""For a stream's worker to write a clip."""
_ENFORCE_EVERY_S = 60.0
_SPARE_BYTES = 100_000_000
"""Evidence leaves so much of the disk to others: where there is less, packages are shed and alerts go on."""
_POLL_S = 0.25
_FORGOTTEN_S = 600.0
"""Clips of packages that were shed are removed after so long."""


SHED_CAUSES = ("busy", "disk", "failed", "size", "unrecorded")
"""Why an alert may have no package."""


@dataclass(frozen=True, slots=True)
class WriterStatistics:
    """A snapshot; `shed` and `removed` count by cause since the start."""

    written: int
    shed: dict[str, int]
    removed: dict[str, int]
    packages: int
    bytes: int
    waiting: int


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A package to be made."""

    case: Case
    clip: Future[Clip] | None
    stem: Path
    """The clip's path without its suffix."""
    asked_s: float
    """When the clip was asked for, on `time.monotonic`."""


class Writer:
    """Owns the folder. Everything but `put`, `shed` and `statistics` works on the disk.

    Args:
        config: folder, bounds, key.
        provenance_of: what judged a stream.
        wall: the time of day of an `at_s`.
        now: the time of day.

    Raises:
        EvidenceError: the folder cannot be used, another service uses it, or there is no key to be had.

    Attributes:
        signer: whose key signs.
        short: whether the disk was too full for evidence when last looked at.
    """

    def __init__(
        self,
        config: EvidenceConfig,
        provenance_of: Callable[[str], Provenance],
        wall: Callable[[float], datetime],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._folder = config.folder.absolute()
        self._provenance_of = provenance_of
        self._wall = wall
        self._jobs: queue.Queue[Job] = queue.Queue(_WAITING)
        self._closing = threading.Event()
        self._written = 0
        self._shed: Counter[str] = Counter()
        self._shedding: str | None = None
        self._enforced_s = 0.0
        self.short = False
        self._failing = False
        self._lock = _lock(self._folder)
        try:
            self.signer = load_signer(config.key_file)
            self._sweep()
            self._retention = Retention(
                self._folder, keep_hours=config.keep_hours, most_bytes=round(config.max_mb * 1e6), now=now
            )
            self._enforce()
        except BaseException:
            os.close(self._lock)
            raise
        self._thread = threading.Thread(target=self._run, name="evidence", daemon=True)

    @property
    def spool(self) -> Path:
        """Where clips are put until they are moved into their package."""
        return self._folder / UNFINISHED

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def put(self, job: Job) -> None:
        """Leaves a package to be made; sheds it where too many wait. Never blocks."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            self.shed(job.case.alert.stream, "busy", f"{_WAITING} others wait for the disk")

    def shed(self, stream: str, cause: str, why: str) -> None:
        """Counts a package that is not made, and says so; a cause that lasts is logged once."""
        self._shed[cause] += 1
        if self._shedding != cause:
            of_stream(_log, stream).warning("no evidence package of an alert: %s", why)
        self._shedding = cause

    def close(self) -> None:
        """Has the thread end once nothing waits; returns at once."""
        self._closing.set()

    def join(self, timeout_s: float) -> None:
        """Waits for the thread; what it has not written then is shed."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            _log.warning("evidence: there was no time to write every package; what was begun is removed at next start")

    def release(self) -> None:
        """Lets another service use the folder, unless the thread is still busy in it."""
        if not self._thread.is_alive():
            os.close(self._lock)

    def statistics(self) -> WriterStatistics:
        """A snapshot."""
        retention = self._retention
        return WriterStatistics(
            self._written,
            dict(self._shed),
            dict(retention.removed),
            retention.packages,
            retention.bytes,
            self._jobs.qsize(),
        )

    # --- the thread ---

    def _run(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=_POLL_S)
            except queue.Empty:
                if self._closing.is_set():
                    return
                if time.monotonic() - self._enforced_s > _ENFORCE_EVERY_S:
                    self._enforce()
                continue
            self._make(job)

    def _make(self, job: Job) -> None:
        stream = job.case.alert.stream
        try:
            clip = self._clip(job)
            self._need_space()
            package = self._fitting(job.case, clip)
            path = write_package(package, self._folder)
        except _FullError as error:
            self.shed(stream, "disk", str(error))
        except OSError as error:
            self.shed(stream, "disk", f"{self._folder}: {error.strerror or error}")
        except EvidenceError as error:
            self.shed(stream, "size", str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours costs the package, not those that follow
            of_stream(_log, stream).debug("an evidence package cannot be made", exc_info=True)
            self.shed(stream, "failed", f"internal error: {one_line(error)}")
        else:
            self._written += 1
            self._shedding = None
            of_stream(_log, stream).info("evidence in %s", path)
        finally:
            _remove_clips(job.stem)
            self._enforce()

    def _clip(self, job: Job) -> FoundClip:
        if job.clip is None:
            return FoundClip(None, "clips are turned off (evidence.clip_s)")
        left_s = _POLL_S if self._closing.is_set() else max(0.0, job.asked_s + _CLIP_S - time.monotonic())
        try:
            answer = job.clip.result(left_s)
        except (TimeoutError, CancelledError):
            return FoundClip(None, "the stream's reader did not answer in time")
        path = None if answer.path is None else Path(answer.path)
        if path is not None and (path.with_suffix("") != job.stem or not plain_file(path)):
            return FoundClip(None, "its file is gone")
        return FoundClip(path, answer.absence)

    def _fitting(self, case: Case, clip: FoundClip) -> Package:
        """The package, for which there is room; without its clip where it would be too large with it."""
        provenance = self._provenance_of(case.alert.call_of or case.alert.stream)
        package = make_package(case, clip, provenance, self.signer, self._wall)
        if not self._retention.fits(package.bytes) and package.clip is not None:
            without = FoundClip(None, "the package would be larger than evidence.max_mb with it")
            package = make_package(case, without, provenance, self.signer, self._wall)
        size = package.bytes
        if not self._retention.fits(size):
            raise EvidenceError(f"it would have {size / 1e6:.1f} MB, more than evidence.max_mb")
        if not self._retention.enforce(room_for=size):
            raise EvidenceError("no room could be made for it")
        return package

    def _need_space(self) -> None:
        self._look_for_space()
        if self.short:
            raise _FullError(f"less than {_SPARE_BYTES / 1e6:.0f} MB of the disk are free")

    def _look_for_space(self) -> None:
        self.short = shutil.disk_usage(self._folder).free < _SPARE_BYTES

    def _enforce(self) -> None:
        self._enforced_s = time.monotonic()
        try:
            self.spool.mkdir(mode=0o700, parents=True, exist_ok=True)  # somebody may have removed the folder
            self._retention.enforce()
            self._look_for_space()
            self._forget_clips()
        except OSError as error:
            if not self._failing:
                _log.error("evidence: %s: %s", self._folder, error.strerror or error)
            self._failing = True
        else:
            self._failing = False

    def _forget_clips(self) -> None:
        for path in self.spool.glob("clip-*"):
            if plain_file(path) and time.time() - path.stat().st_mtime > _FORGOTTEN_S:
                path.unlink()

    def _sweep(self) -> None:
        """Removes what a former service has left half-made or half-removed."""
        if self.spool.exists() or self.spool.is_symlink():
            if not plain_folder(self.spool):
                raise EvidenceError(f"evidence.folder: {self.spool} is no folder")
            shutil.rmtree(self.spool)
        self.spool.mkdir(mode=0o700)


class _FullError(Exception):
    """The disk is too full."""


def _lock(folder: Path) -> int:
    """Claims the folder, made where there is none; the lock ends with the process that holds it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise EvidenceError(f"evidence.folder: {folder}: {error.strerror or error}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise EvidenceError(f"evidence.folder: {folder}: in use by another gend-monitor") from error
    return descriptor


def _remove_clips(stem: Path) -> None:
    for suffix in (".mp4", ".mkv"):
        try:
            stem.with_name(f"{stem.name}{suffix}").unlink(missing_ok=True)
        except OSError as error:
            _log.debug("a clip is left: %s", error)
