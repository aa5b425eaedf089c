from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.decision.measured import Piece, read_measured
from monitor.learning import Choice, choose
from tests.monitor.learning.learnt import SESSION_S, piece, written

NOW = datetime.fromtimestamp(10 * SESSION_S, tz=UTC)


def chosen(path: Path, *pieces: Piece, streams: tuple[str, ...] = ("lobby",), now: datetime = NOW) -> Choice:
    return choose(read_measured(written(path, *pieces)), streams, now)


def test_sessions_that_do_not_count_are_told_with_why(tmp_path: Path) -> None:
    pieces = (
        piece(5),
        piece(6, watched_s=0.91 * SESSION_S),
        piece(7, watched_s=0.8999 * SESSION_S),
        piece(8, lost=1200),
        piece(9, watched_s=SESSION_S),
        piece(9, watched_s=0.5 * SESSION_S),
        piece(10, watched_s=SESSION_S),
        piece(5, "gate"),
    )
    choice = chosen(tmp_path / "l", *pieces)
    assert [session.number for session in choice.kept] == [5, 6]
    assert [(session.number, why) for session, why in choice.left_out] == [
        (7, "watched for 89% of it"),
        (8, "1,200 scores of it were lost while the disk took nothing"),
        (9, "watched for 150% of it: the clock was set back"),
        (10, "not over yet"),
    ]


def test_a_session_is_over_by_the_clock(tmp_path: Path) -> None:
    before = NOW - timedelta(seconds=1)
    assert not chosen(tmp_path / "a", piece(9), now=before).kept
    assert chosen(tmp_path / "b", piece(9), now=NOW).kept


def test_fakes_know_the_session_that_they_are_of(tmp_path: Path) -> None:
    choice = chosen(tmp_path / "l", piece(5), piece(6), piece(6, "gate"), streams=("lobby", "gate"))
    assert [session.name for session in choice.kept] == [
        "gate 1970-01-01 03:00", "lobby 1970-01-01 02:30", "lobby 1970-01-01 03:00"
    ]  # fmt: skip
    assert choice.fakes().session.tolist() == [0, 1, 2]
    less = choice.without({("lobby", 5): "a fake"})
    assert [session.number for session in less.kept] == [6, 6]
    assert [(session.number, why) for session, why in less.left_out] == [(5, "a fake")]
    assert less.fakes().session.tolist() == [0, 1]
