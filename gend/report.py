"""Scores as people and programs read them: a table, or one JSON object per file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from gend.tally import FileScore

_MOST_TRACKS = 20
"""Rows of one file; a long recording of a street has thousands."""


def json_object(scored: FileScore, *, details: bool, **more: str | None) -> dict[str, Any]:
    """The score of one file for `json.dumps`.

    Args:
        scored: what to tell.
        details: with every face of every frame.
        more: fields to add at the end.
    """
    answer = asdict(scored)
    for timed in (*answer["tracks"], *answer["details"]):
        timed.update({name: round(value, 3) for name, value in timed.items() if name.endswith("_s")})
    if details:
        for face in answer["details"]:
            face["box"] = [round(edge, 1) for edge in face["box"]]
    else:
        del answer["details"]
    return answer | more


def table(scores: Sequence[FileScore]) -> Table:
    """All files, and the faces of those that show several."""
    columns = (
        Column("file", overflow="fold"),
        Column("seen", no_wrap=True),
        *(Column(name, justify="right", no_wrap=True) for name in ("frames", "faces", "mean", "median")),
    )
    rows = Table(*columns, box=SIMPLE_HEAD, caption="mean and median of p(fake)", caption_justify="left")
    for scored in scores:
        moving = scored.frames > 1
        counts = str(scored.frames), str(scored.faces)
        rows.add_row(escape(scored.path or ""), "", *counts, _share(scored.mean, scored), _share(scored.median, scored))
        if len(scored.tracks) < 2:
            continue
        longest = sorted(scored.tracks, key=lambda track: -track.frames)[:_MOST_TRACKS]
        for track in sorted(longest, key=lambda track: track.id):
            seen = f"{_clock(track.first_s)}-{_clock(track.last_s)}" if moving else ""
            rows.add_row(f"  face {track.id}", seen, str(track.frames), "", f"{track.mean:.3f}", f"{track.median:.3f}")
        if others := len(scored.tracks) - len(longest):
            rows.add_row(f"  {others} more, seen less; --json has all", "", "", "", "", "")
    return rows


def _share(value: float | None, scored: FileScore) -> str:
    if value is not None:
        return f"{value:.3f}"
    return "none scored" if scored.left_out else "no face"


def _clock(at_s: float) -> str:
    """Minutes and seconds, and hours where there are any."""
    minutes, seconds = divmod(int(at_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
