"""Alerts as files."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.monitor.store.examples import an_alert, fill
from tests.monitor.web.api.asking import asked

pytestmark = pytest.mark.anyio

NOTES = [
    '=HYPERLINK("http://evil.example","x")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "  =1",
    "\uff1d1",
    'a "word", or\ntwo',
]


async def test_every_episode_is_a_line_newest_first(tmp_path: Path) -> None:
    async with asked(tmp_path) as (http, parts):
        await fill(parts.store, 450)  # more than are read at once
        answer = await http.get("/alerts.ndjson")
        listed = (await http.get("/alerts?limit=1")).json()["items"]
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["alert_id"] for line in lines] == [f"episode-{number}" for number in reversed(range(450))]
    assert lines[0] == listed[0]
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["content-disposition"].startswith('attachment; filename="alerts-2')


async def test_spreadsheet_takes_no_cell_for_a_formula(tmp_path: Path) -> None:
    async with asked(tmp_path) as (http, parts):
        for number, note in enumerate(NOTES):
            await parts.store.record(an_alert(number, evidence=-2.5, notices=("=1+1",)), [])
            said = await http.post(f"/alerts/episode-{number}/reviews", json={"answer": "wrong", "note": note})
            assert said.status_code == 201
        answer = await http.get("/alerts.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert answer.headers["content-type"].startswith("text/csv")
    assert len(rows) == len(NOTES)
    for row, note in zip(reversed(rows), NOTES, strict=True):
        # The store takes spaces around a note away, so some of them begin with a formula after all.
        assert row["note"] == (f"'{note.strip()}" if not note.startswith("a") else note)
        assert (row["notices"], row["evidence"], row["answer"]) == ("'=1+1", "-2.5", "wrong")
        for cell in row.values():
            assert not cell.lstrip(" ").startswith(("=", "+", "@", "\t", "\uff1d")), cell


async def test_export_is_filtered(tmp_path: Path) -> None:
    async with asked(tmp_path) as (http, parts):
        for number, stream in enumerate(("lobby", "gate")):
            await parts.store.record(an_alert(number, stream=stream), [])
        rows = list(csv.DictReader(io.StringIO((await http.get("/alerts.csv?stream=gate")).text)))
        nothing = await http.get("/alerts.ndjson?state=cleared")
    assert [row["stream"] for row in rows] == ["gate"]
    assert (nothing.status_code, nothing.text) == (200, "")
