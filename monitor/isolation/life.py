"""One process of a stream's worker: how it is started, and which of its reports say that it is past help."""

from __future__ import annotations

import contextlib
import multiprocessing
from typing import Any, Self

from monitor.isolation.crops import SHARED_BYTES, CropSlots, Placed
from monitor.isolation.process import work
from monitor.processes import Life
from monitor.processes.memory import SHARES, give_memory
from monitor.worker import WorkerPlan, WorkerStatistics

_SILENT_S = 15.0
"""Without a report for so long a process hangs: it sends one a second."""
_ANALYSIS_S = 30.0
"""What a tenth of a second is enough for on a slow machine."""


class WorkerLife(Life):
    """One process of a worker, from its start to its end."""

    slots: CropSlots | None = None
    """Where its crops are, where the system has memory for that."""
    _overdue = 0

    @classmethod
    def of(cls, plan: WorkerPlan, prefix: str, log_level: int) -> Self:
        """Starts a process that runs `work`. Raises as `begin`."""
        ours, theirs = multiprocessing.Pipe()
        arguments = (theirs, plan, prefix, log_level)
        with contextlib.closing(ours), contextlib.closing(theirs):
            slots = CropSlots(give_memory(ours, SHARED_BYTES)) if SHARES else None
            life = cls.begin(work, arguments, name=f"gend-{plan.stream.name}", silent_s=_SILENT_S)
        life.slots = slots
        return life

    def receive(self) -> Any:
        """As `Life.receive`; crops come out of their slots."""
        message = super().receive()
        return self.slots.fetch(message) if isinstance(message, Placed) and self.slots is not None else message

    def examine(self, statistics: WorkerStatistics) -> None:
        """Ends a process with a thread that will not come back: a thread cannot be ended, and may burn a core."""
        if statistics.reader.abandoned:
            self.kill("FFmpeg hung, and its process was killed")
        # Twice, because a machine that slept shows one analysis that was long.
        self._overdue = self._overdue + 1 if statistics.analysing_s > _ANALYSIS_S else 0
        if self._overdue >= 2:
            self.kill(f"the analysis of a frame hung for {_ANALYSIS_S:.0f} s, and its process was killed")
