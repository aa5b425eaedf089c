"""Cases to make packages of in tests, and a writer to make them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from monitor import payloads
from monitor.config import EvidenceConfig
from monitor.evidence import Writer
from monitor.evidence.manifest import Provenance
from monitor.evidence.memory import Point, Seen, SeenCrop
from monitor.evidence.package import Case
from monitor.evidence.writer import Job
from monitor.messages import Alert, Clip
from tests.monitor.store.examples import an_alert
from tests.waiting import wait_until

PROVENANCE = Provenance(calibration_sha256=None, configuration_sha256="c" * 64, software="gend-monitor test")
NOW = datetime(2026, 1, 31, 12, 0, 10, tzinfo=UTC)


def a_case(number: int = 1, *, crops: int = 3, **fields: Any) -> Case:
    """An alert in which every pixel is noise, which does not compress: 150 kB a crop."""
    alert: Alert = an_alert(number, **fields)
    noise = np.random.default_rng(number)
    seen = Seen(
        tuple(
            SeenCrop(float(at_s), noise.integers(0, 256, (224, 224, 3), dtype=np.uint8), 0.5, 120.0, 2.5)
            for at_s in range(crops)
        ),
        tuple(Point(at_s / 2, (-1) ** at_s * 2.5) for at_s in range(20)),
        tuple(Point(at_s / 2, 0.9 * at_s) for at_s in range(20)),
    )
    return Case(alert, payloads.alert(alert), seen)


def a_job(case: Case, writer: Writer, *, clip: bytes | None = None) -> Job:
    """A package to be made, its clip written already."""
    stem = writer.spool / f"clip-{case.alert.id}"
    answer: Future[Clip] | None = None
    if clip is not None:
        path = stem.with_suffix(".mp4")
        path.write_bytes(clip)
        answer = Future()
        answer.set_result(Clip(case.alert.stream, 1, str(path)))
    return Job(case, answer, stem, time.monotonic())


@contextmanager
def running(folder: Path, now: Callable[[], datetime] = lambda: NOW, **settings: Any) -> Iterator[Writer]:
    """A writer, started; at the end it is asked to end, and does."""
    config = EvidenceConfig.model_validate({"folder": folder, **settings})
    writer = Writer(config, lambda _: PROVENANCE, lambda at_s: datetime.fromtimestamp(at_s, tz=UTC), now)
    writer.start()
    try:
        yield writer
    finally:
        writer.close()
        writer.join(30)
        writer.release()


def packages(folder: Path) -> list[Path]:
    """Every finished package, oldest first."""
    return sorted(folder.glob("*/*-*"))


def written(folder: Path, *cases: Case, clip: bytes | None = None, **settings: Any) -> list[Path]:
    """Writes packages, one after the other."""
    with running(folder, **settings) as writer:
        for number, case in enumerate(cases, start=1):
            writer.put(a_job(case, writer, clip=clip))
            wait_until(lambda number=number: _done(writer) == number)  # type: ignore[misc]
    return packages(folder)


def _done(writer: Writer) -> int:
    statistics = writer.statistics()
    return statistics.written + sum(statistics.shed.values())
