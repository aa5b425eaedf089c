from __future__ import annotations

import itertools
import wave
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from monitor.errors import SourceError
from monitor.ingest import AvFrame, inspect_file, read_file
from monitor.messages import Frame
from tests.monitor.ingest.clips import make_clip


def read(path: Path) -> list[AvFrame]:
    return [frame for frame in read_file(path, "tape") if isinstance(frame, AvFrame)]


def summary(frames: list[AvFrame]) -> list[tuple[int, float, float | None, bool, int]]:
    return [(f.index, f.at_s, f.pts_s, f.trusted, int(f.small(64).sum())) for f in frames]


def test_read_file_gives_every_frame_at_its_time(tmp_path: Path) -> None:
    frames = read(make_clip(tmp_path / "a.mp4", frames=30, b_frames=2))
    assert [frame.index for frame in frames] == list(range(30))
    assert [frame.at_s for frame in frames] == pytest.approx([index / 25 for index in range(30)])
    assert all(frame.trusted and frame.stream == "tape" for frame in frames)
    assert (frames[0].width, frames[0].height) == (320, 240)


def test_read_file_is_deterministic(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=20)
    assert summary(read(clip)) == summary(read(clip))


def test_read_file_keeps_variable_frame_times_and_trust(tmp_path: Path) -> None:
    times_ms = [0, 40, 80, 300, 340, 1400, 1440, 1480, 1520, 3000]
    frames = read(make_clip(tmp_path / "vfr.mp4", frames=10, gop=100, times_ms=times_ms))
    assert [round(frame.at_s * 1000) for frame in frames] == times_ms
    assert all(frame.trusted for frame in frames)


def test_read_file_counts_from_the_first_frame(tmp_path: Path) -> None:
    times_ms = [5000 + 40 * index for index in range(10)]
    frames = read(make_clip(tmp_path / "late.mkv", frames=10, times_ms=times_ms))
    assert [frame.pts_s for frame in frames] == pytest.approx([ms / 1000 for ms in times_ms])
    assert [frame.at_s for frame in frames] == pytest.approx([index / 25 for index in range(10)])


def test_read_file_fills_missing_times_from_the_frame_rate(tmp_path: Path) -> None:
    frames = read(make_clip(tmp_path / "raw.h264", frames=10))
    assert [frame.at_s for frame in frames] == pytest.approx([index / 25 for index in range(10)])


def test_read_file_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"absent\.mp4: cannot open: No such file or directory"):
        next(read_file(tmp_path / "absent.mp4", "tape"))


def test_read_file_refuses_what_is_no_video(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    sound = tmp_path / "sound.wav"
    with wave.open(str(sound), "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(8000)
        writer.writeframes(bytes(16000))
    for path in (text, sound, tmp_path):
        with pytest.raises(SourceError, match=f"{path.name}: cannot open: "):
            next(read_file(path, "tape"))


def test_a_file_with_a_colon_in_its_name_is_a_file(tmp_path: Path) -> None:
    assert len(read(make_clip(tmp_path / "12:30 cam#1?.mp4", frames=3))) == 3


@pytest.mark.parametrize("container", ["mkv", "ts", "h264"])
def test_a_truncated_file_ends_without_a_crash(tmp_path: Path, container: str) -> None:
    clip = make_clip(tmp_path / f"whole.{container}", frames=40)
    whole = summary(read(clip))
    cut = tmp_path / f"cut.{container}"
    cut.write_bytes(clip.read_bytes()[: clip.stat().st_size * 6 // 10])
    frames = summary(read(cut))
    assert 10 < len(frames) < 40
    trusted = [frame for frame in frames if frame[3]]
    assert trusted == whole[: len(trusted)]


@pytest.mark.parametrize("seed", range(6))
def test_flipped_bits_are_distrusted_until_a_keyframe(tmp_path: Path, seed: int) -> None:
    """Packets are hit as a lossy network hits them: enough bytes of a few of them that decoding fails."""
    clip = make_clip(tmp_path / "whole.mkv", frames=60, gop=12)
    content = bytearray(clip.read_bytes())
    rng = np.random.default_rng(seed)
    for start in rng.integers(len(content) // 6, len(content) * 5 // 6, 3):
        for at in rng.integers(start, start + 400, 60):
            content[at] ^= 1 << int(rng.integers(8))
    clip.write_bytes(content)
    frames = read(clip)
    assert len(frames) > 20
    distrusted = [frame for frame in frames if not frame.trusted]
    assert distrusted
    for before, frame in itertools.pairwise(frames):
        if frame.trusted and not before.trusted:
            assert frame.picture.key_frame


def test_inspect_file_tells_when_a_recording_began_and_how_long_it_is(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=25, metadata={"creation_time": "2024-05-06T07:08:09Z"})
    info = inspect_file(clip)
    assert info.created == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert info.duration_s == pytest.approx(1.0)


def test_inspect_file_does_not_invent_a_beginning(tmp_path: Path) -> None:
    assert inspect_file(make_clip(tmp_path / "a.mp4", frames=5)).created is None


def test_frames_outlive_their_file(tmp_path: Path) -> None:
    kept: list[Frame] = list(read_file(make_clip(tmp_path / "a.mp4", frames=12), "tape"))
    assert kept[5].region((0, 0, 50, 50))[0].shape == (50, 50, 3)
