"""How files begin to be taken, and how that ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping

from monitor.config import MonitorConfig
from monitor.uploads.jobs import ScoreJobs
from monitor.uploads.task import Judge


@contextlib.asynccontextmanager
async def taking_uploads(
    config: MonitorConfig, face_detector: str, adapters: Callable[[], Mapping[str, str]] = dict
) -> AsyncIterator[ScoreJobs | None]:
    """The queue, at work, by whose judge streams are judged as well; None where nothing may be sent.

    Args:
        config: `encoder`, and `web.upload_mb`.
        face_detector: the one that `auto` came to.
        adapters: files of the fine-tunes that are configured now, by name.
    """
    if not config.web.upload_mb:
        yield None
        return
    encoder = config.encoder
    jobs = ScoreJobs(
        Judge(
            weights=encoder.weights,
            engine=encoder.engine,
            precision=encoder.precision,
            device=encoder.device,
            max_logit_drift=encoder.max_logit_drift,
            face_detector=face_detector,
        ),
        adapters=adapters,
    )
    working = asyncio.create_task(jobs.run(), name="uploads")
    try:
        yield jobs
    finally:
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
        await jobs.aclose()
