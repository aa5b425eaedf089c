"""Alert episodes as a file: one JSON object a line, or a table that a spreadsheet does not mistake for a program."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from monitor.store import Episode
from monitor.web.api.models import time

_TYPES = {"ndjson": "application/x-ndjson", "csv": "text/csv"}
_TEXT: dict[str, Any] = {"schema": {"type": "string"}}
NDJSON: dict[int | str, dict[str, Any]] = {
    200: {"description": "Episodes as in `/alerts`, one a line.", "content": {_TYPES["ndjson"]: _TEXT}}
}
CSV: dict[int | str, dict[str, Any]] = {
    200: {"description": "A line of names, then an episode a line (RFC 4180).", "content": {_TYPES["csv"]: _TEXT}}
}

_COLUMNS = (
    "alert_id",
    "stream",
    "track",
    "state",
    "raised_at",
    "cleared_at",
    "verdict",
    "evidence",
    "peak_evidence",
    "threshold",
    "samples",
    "mean_probability",
    "calibrated",
    "false_alarms_target_per_stream_day",
    "false_alarms_promised_per_stream_day",
    "weights",
    "adapter",
    "notices",
    "answer",
    "contradiction",
    "reviewed_by",
    "note",
)
# A cell that begins so is a formula to a spreadsheet; the full-width ones are as well to some.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def streamed(lines: AsyncIterator[bytes], suffix: str) -> StreamingResponse:
    """The answer that is taken away as a file."""
    name = f"alerts-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{suffix}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(lines, media_type=_TYPES[suffix], headers=headers)


async def json_lines(
    pages: AsyncIterator[Sequence[Episode]], shape: Callable[[Episode], BaseModel]
) -> AsyncIterator[bytes]:
    """Some lines at a time."""
    async for episodes in pages:
        yield "".join(f"{shape(episode).model_dump_json(by_alias=True)}\n" for episode in episodes).encode()


async def csv_lines(pages: AsyncIterator[Sequence[Episode]]) -> AsyncIterator[bytes]:
    """Some lines at a time, the names of the columns first."""
    yield _lines([_COLUMNS])
    async for episodes in pages:
        yield _lines([_row(episode) for episode in episodes])


def _lines(rows: Sequence[Sequence[object]]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows([[_cell(value) for value in row] for row in rows])
    return written.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{value}"
    return value


def _row(episode: Episode) -> list[object]:
    raised, latest, reviewed = episode.raised, episode.latest, episode.reviewed
    last = episode.reviews[-1] if episode.reviews else None
    return [
        episode.alert_id,
        raised.stream,
        raised.track,
        episode.state,
        time(raised.at),
        time(latest.at) if episode.state == "cleared" else None,
        latest.verdict,
        raised.evidence,
        episode.peak_evidence,
        raised.threshold,
        latest.samples,
        latest.mean_probability,
        raised.calibrated,
        raised.false_alarms_target_per_stream_day,
        raised.false_alarms_promised_per_stream_day,
        raised.model.weights,
        raised.model.adapter,
        "; ".join(raised.notices),
        None if reviewed is None else reviewed.answer,
        None if reviewed is None else reviewed.contradiction,
        None if last is None else last.by,
        None if last is None else last.note,
    ]
