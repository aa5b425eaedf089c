"""Space that is the outbox's alone: a file beside the database, given up when the disk is full.

It holds some thousand alerts. When it is used up as well, recording fails and the caller keeps the alert and tries
again; nothing recorded before is lost, and nothing is left half-written.
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

_log = logging.getLogger("monitor.store")

BYTES = 8 * 1024 * 1024
_ROOM = 8
"""The file is made only where so many times its size is free: it shall not be what fills the disk."""


class Reserve:
    """The file. Its methods block for some milliseconds.

    Args:
        database: the SQLite file it stands beside.

    Attributes:
        held: whether the space is there.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._file = database.with_name(f"{database.name}.reserve")
        self._short = False
        self.held = False

    def hold(self) -> None:
        """Claims the space if there is room; logged when that changes."""
        self.held = self._file.exists() or self._make()
        if not self.held and not self._short:
            _log.warning("%s: the disk is nearly full: no space could be reserved for alerts", self._database)
        elif self.held and self._short:
            _log.info("%s: space is reserved for alerts again", self._database)
        self._short = not self.held

    def release(self) -> bool:
        """Gives the space to the database; False when it was given before."""
        if not self._file.exists():
            return False
        self._file.unlink()
        self.held, self._short = False, True
        _log.error("%s: the disk is full: alerts go into the reserve", self._database)
        return True

    def _make(self) -> bool:
        unfinished = self._file.with_suffix(".unfinished")
        try:
            if shutil.disk_usage(self._file.parent).free < _ROOM * BYTES:
                return False
            with unfinished.open("wb") as file:
                file.write(os.urandom(BYTES))  # compressing file systems store no zeros
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(self._file)
        except OSError:
            # Without a reserve the service still works; a disk that takes nothing shows at the next alert.
            unfinished.unlink(missing_ok=True)
            return False
        return True
