"""Takes note of what each alert was raised on, and has a package made of it once it is recorded."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from monitor.config import EvidenceConfig
from monitor.evidence.memory import Seen, TrackMemory
from monitor.evidence.package import Case
from monitor.evidence.writer import Job, Writer, WriterStatistics
from monitor.messages import Alert, Clip
from monitor.redact import one_line

_log = logging.getLogger("monitor.evidence")

_UNRECORDED = 16
"""Alerts that wait for the store with what was seen of them: each holds some megabytes."""


@dataclass(frozen=True, slots=True, eq=False)
class _Draft:
    stream: str
    seen: Seen
    adapter_sha256: str | None
    clip: Future[Clip] | None
    stem: Path
    asked_s: float


class EvidenceKeeper:
    """Stands beside the recorder. Its methods belong to the event loop, and none of them waits.

    Args:
        config: what is kept.
        writer: makes packages, and is started.
        request_clip: has a stream's last seconds written.
        adapter_sha256: the hash of a fine-tune's file by its name.

    Attributes:
        memory: to be shown what passes through the pipeline.
    """

    def __init__(
        self,
        config: EvidenceConfig,
        writer: Writer,
        request_clip: Callable[[str, Path], Future[Clip]],
        adapter_sha256: Callable[[str | None], str | None],
    ) -> None:
        self.memory = TrackMemory(config.crops)
        self._with_clips = config.clip_s > 0
        self._writer = writer
        self._request_clip = request_clip
        self._adapter_sha256 = adapter_sha256
        self._drafts: OrderedDict[str, _Draft] = OrderedDict()

    def decided(self, alert: Alert) -> None:
        """Notes what is known of an alert that was just raised; the others of its episode add nothing."""
        if alert.type != "raised":
            return
        try:
            self._note(alert)
        except Exception as error:  # noqa: BLE001 - a fault of ours costs the package, never the alert
            _log.debug("%s: an alert's evidence is not noted", alert.stream, exc_info=True)
            self._writer.shed(alert.stream, "failed", f"internal error: {one_line(error)}")

    def _note(self, alert: Alert) -> None:
        if self._writer.short:
            self._writer.shed(alert.stream, "disk", "the disk is too full")
            return
        stem = self._writer.spool / f"clip-{alert.alert_id}"
        clip = self._request_clip(alert.stream, stem) if self._with_clips else None
        seen = self.memory.seen(alert.stream, alert.track)
        adapter = self._adapter_sha256(alert.model.adapter)
        self._drafts[alert.id] = _Draft(alert.stream, seen, adapter, clip, stem, time.monotonic())
        while len(self._drafts) > _UNRECORDED:
            _, oldest = self._drafts.popitem(last=False)
            self._writer.shed(oldest.stream, "unrecorded", "too many alerts wait for the store")

    def recorded(self, alert: Alert, published: str) -> None:
        """Has the package made.

        Args:
            alert: as it was recorded.
            published: the same as subscribers get it.
        """
        draft = self._drafts.pop(alert.id, None)
        if draft is not None:
            self._writer.put(
                Job(Case(alert, published, draft.seen, draft.adapter_sha256), draft.clip, draft.stem, draft.asked_s)
            )

    def statistics(self) -> WriterStatistics:
        """A snapshot of what was written, shed and removed."""
        return self._writer.statistics()
