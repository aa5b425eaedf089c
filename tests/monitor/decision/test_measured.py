"""The file of learning: whole lines or nothing, whoever dies, fills the disk, or edits it."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from monitor.decision.measured import read_measured, shortest
from monitor.decision.measured_file import MeasuredFile
from monitor.errors import ConfigError, MonitorError
from tests.monitor.learning.learnt import header, of, piece, written


def test_pieces_of_a_session_come_together_again(tmp_path: Path) -> None:
    path = written(tmp_path / "l", piece(7, watched_s=30.0), piece(8), piece(7, watched_s=12.5, not_finite=2))
    measured = read_measured(path)
    assert set(measured.sessions) == {("lobby", 7), ("lobby", 8)}
    session = measured.sessions["lobby", 7]
    assert (session.watched_s, session.not_finite, session.crops) == (42.5, 2, 6)
    (track,) = session.real().tracks
    np.testing.assert_array_equal(track.block, [3, 3, 5] * 2)
    np.testing.assert_array_equal(track.logits, np.array([-1.25, 0.1, 3.0] * 2, np.float32))


def test_tracks_of_two_runs_are_two_though_they_have_one_name(tmp_path: Path) -> None:
    path = written(tmp_path / "l", piece(7), piece(7, run="b"))
    assert len(read_measured(path).sessions["lobby", 7].real().tracks) == 2


def test_numbers_are_kept_to_the_last_bit_of_the_encoder() -> None:
    for value in np.random.default_rng(0).normal(size=1000).astype(np.float32):
        assert np.float32(shortest(float(value))) == value


@pytest.mark.parametrize("torn", [b'{"stream": "torn', b"\0" * 50])
def test_a_line_without_its_end_is_ignored_and_written_over(tmp_path: Path, torn: bytes) -> None:
    path = written(tmp_path / "l", piece(7))
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    assert set(read_measured(path).sessions) == {("lobby", 7)}
    written(path, piece(8))
    assert set(read_measured(path).sessions) == {("lobby", 7), ("lobby", 8)}
    assert torn not in path.read_bytes()


def test_who_died_within_the_first_line_has_begun_nothing(tmp_path: Path) -> None:
    path = tmp_path / "l"
    path.write_bytes(b'{"measured_sess')
    written(path, piece(7))
    assert len(read_measured(path).sessions) == 1


@pytest.mark.parametrize("line", [0, 1, 3, 4])
def test_an_edited_line_is_refused_and_so_is_one_that_was_taken_out(tmp_path: Path, line: int) -> None:
    path = written(tmp_path / "l", piece(7), piece(8), piece(9))
    lines = path.read_bytes().splitlines(keepends=True)
    changed = lines[line].replace(b"0.5", b"0.6") if line in {0, 3} else lines[line].replace(b"lobby", b"looby")
    assert changed != lines[line]
    path.write_bytes(b"".join([*lines[:line], changed, *lines[line + 1 :]]))
    with pytest.raises(ConfigError, match=rf"l: line {line + 1} or what was before it has been changed"):
        read_measured(path)
    if line:
        path.write_bytes(b"".join([*lines[:line], *lines[line + 1 :]]))
        with pytest.raises(ConfigError, match="has been changed"):
            MeasuredFile.open(path, header(), [of("lobby")])


@pytest.mark.parametrize("content", [b"hello", b"hello\n", b'{"schema": 1}\n', b"\x89PNG\r\n"])
def test_another_file_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    for refused in (lambda: read_measured(path), lambda: MeasuredFile.open(path, header(), [of("lobby")])):
        with pytest.raises(ConfigError, match="other: no learnt sessions, but something else"):
            refused()
    assert path.read_bytes() == content


def test_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none: cannot be read \(No such file or directory\)"):
        read_measured(tmp_path / "none")
    with pytest.raises(MonitorError, match="cannot be written"):
        MeasuredFile.open(tmp_path / "no" / "folder", header(), [])


def test_numbers_of_something_else_are_not_mixed_in(tmp_path: Path) -> None:
    path = written(tmp_path / "l", piece(7))
    with pytest.raises(ConfigError, match=r"l: learnt in sessions of 0\.5 h, but they are 24 h now"):
        MeasuredFile.open(path, header(24), [of("lobby")])
    with pytest.raises(
        ConfigError, match=r"l: made with faces\.min_face_px 90, but it is 60 here \(stream lobby\); learn into another"
    ):
        MeasuredFile.open(path, header(), [of("lobby", min_face_px=60.0)])


def test_a_stream_may_be_added(tmp_path: Path) -> None:
    path = written(tmp_path / "l", piece(7))
    written(path, piece(7, "door"), streams=("lobby", "door"))
    assert list(read_measured(path).streams) == ["lobby", "gate", "door"]


def test_two_processes_do_not_learn_into_one_file(tmp_path: Path) -> None:
    file = MeasuredFile.open(tmp_path / "l", header(), [of("lobby")])
    code = (
        "from pathlib import Path; from tests.monitor.learning.learnt import written; import sys\n"
        "written(Path(sys.argv[1]))"
    )
    other = subprocess.run([sys.executable, "-c", code, tmp_path / "l"], capture_output=True, text=True, check=False)
    assert "l: another process learns into it" in other.stderr
    file.close()


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """As on a disk that is full: what fits of a write is written, the next fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_a_full_disk_takes_half_is_not_taken_for_whole(tmp_path: Path) -> None:
    path = tmp_path / "l"
    file = MeasuredFile.open(path, header(), [of("lobby")])
    with no_file_larger_than(file.end + 100), pytest.raises(OSError, match="File too large"):
        file.append([piece(7)])
    assert path.stat().st_size > file.end
    assert read_measured(path).sessions == {}
    assert file.append([piece(8)])
    assert set(read_measured(path).sessions) == {("lobby", 8)}
    file.close()


def test_a_file_becomes_no_larger_than_it_may(tmp_path: Path) -> None:
    file = MeasuredFile.open(tmp_path / "l", header(), [of("lobby")], max_bytes=1500)
    while file.append([piece(7)]):
        pass
    file.close()
    assert 500 < (tmp_path / "l").stat().st_size <= 1500
