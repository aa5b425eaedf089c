from __future__ import annotations

from pathlib import Path

import av

from monitor.ingest.file import read_file
from monitor.ingest.trust import Cadence, Trust
from tests.monitor.ingest.clips import make_clip


def judged(trust: Trust, pictures: str) -> str:
    """Judges pictures written as `K0 P3 …`, kind and packet number; gives back `+` or `-` for each."""
    return "".join(
        "+" if trust.judge(packet=int(word[1:]), key=word[0] == "K", pts_s=None, at_s=0.0) else "-"
        for word in pictures.split()
    )


def test_frames_before_the_first_keyframe_are_distrusted() -> None:
    assert judged(Trust(lossy=False), "P1 P2 K3 P4") == "--++"


def test_damage_lasts_until_the_next_keyframe() -> None:
    trust = Trust(lossy=False)
    trust.damaged(3)
    assert judged(trust, "K1 P2 P3 P4 K5 P6") == "++--++"


def test_a_damaged_keyframe_is_not_trusted() -> None:
    trust = Trust(lossy=False)
    trust.damaged(4)
    assert judged(trust, "K1 P2 P3 K4 P5 K6") == "+++--+"


def test_pictures_read_before_the_damage_and_shown_after_it_are_trusted() -> None:
    trust = Trust(lossy=False)
    trust.damaged(5)  # while the pictures of packets 2 to 4 are still waiting in the decoder
    assert judged(trust, "K1 B3 B4 P2 P5 P6") == "++++--"


def test_a_keyframe_read_before_the_damage_does_not_excuse_it() -> None:
    trust = Trust(lossy=False)
    trust.damaged(6)
    assert judged(trust, "K1 P2 K5 P6 P7 K9") == "+++--+"


def test_leading_pictures_of_an_open_gop_need_the_keyframe_before_it_too() -> None:
    trust = Trust(lossy=False)
    trust.damaged(3)
    # Packet 5 is a keyframe; 6 and 7 are read after it, shown before it, and lean on the damaged past.
    assert judged(trust, "K1 P2 P3 B6 B7 K5 P8") == "++---++"


def test_trust_returns_at_a_keyframe_of_a_real_stream_with_b_frames(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "b.mp4", frames=60, gop=12, b_frames=3)
    trust, seen = Trust(lossy=False), []
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        stream.codec_context.copy_opaque = True
        for number, packet in enumerate(container.demux(stream)):
            packet.opaque = number
            if number == 17:
                trust.damaged(number)
            for frame in packet.decode():
                number_of_frame = frame.opaque
                assert isinstance(number_of_frame, int)
                seen.append(
                    (frame.key_frame, trust.judge(packet=number_of_frame, key=frame.key_frame, pts_s=None, at_s=0))
                )
    trusted = [trusted for _, trusted in seen]
    first_bad = trusted.index(False)
    back = trusted.index(True, first_bad)
    assert len(seen) == 60
    assert 12 <= first_bad <= 20
    assert back == 24
    assert seen[back][0]
    assert all(trusted[back:])


def test_a_keyframe_with_a_hole_in_its_transport_stream_is_not_trusted(tmp_path: Path) -> None:
    """Of H.265, whose decoder says nothing; every trusted picture is as if nothing had been lost."""
    clip = make_clip(tmp_path / "a.ts", frames=40, size=(640, 360), codec="hevc")
    content = clip.read_bytes()
    packets = [content[start : start + 188] for start in range(0, len(content), 188)]
    keyframes = [index for index, packet in enumerate(packets) if _begins_keyframe(packet)]
    del packets[keyframes[2] + 20]  # behind what x265 says of itself, which nobody would miss
    damaged = tmp_path / "b.ts"
    damaged.write_bytes(b"".join(packets))

    undamaged = {frame.pts_s: frame.small(640) for frame in read_file(clip, "lobby")}
    frames = list(read_file(damaged, "lobby"))
    smeared = [frame.index for frame in frames if (frame.small(640) != undamaged[frame.pts_s]).any()]
    assert smeared
    assert all(not frames[index].trusted for index in smeared)
    assert "".join("+" if frame.trusted else "-" for frame in frames) == "+" * 19 + "-" * 11 + "+" * 10


def _begins_keyframe(packet: bytes) -> bool:
    """Whether a packet of a transport stream begins a picture and says that decoding can (ISO 13818-1, 2.4.3)."""
    begins, adaptation, length, flags = packet[1] & 0x40, packet[3] & 0x20, packet[4], packet[5]
    return bool(begins and adaptation and length and flags & 0x40)


def gaps(times_s: list[float], arrivals_s: list[float] | None = None) -> list[int]:
    """Positions at which pictures are found to be missing."""
    cadence = Cadence()
    arrivals_s = times_s if arrivals_s is None else arrivals_s
    return [index for index, (pts, at) in enumerate(zip(times_s, arrivals_s, strict=True)) if cadence.missing(pts, at)]


def test_a_missing_picture_of_a_steady_stream_is_noticed() -> None:
    times = [index / 25 for index in range(60) if index != 40]
    assert gaps(times) == [40]


def test_jitter_is_no_gap() -> None:
    assert gaps([index / 25 + (0.004 if index % 2 else 0) for index in range(60)]) == []


def test_a_stream_of_variable_rate_is_never_held_to_one() -> None:
    steps = [1, 1, 2, 1, 3, 1, 1, 5, 1, 2, 9, 1, 1, 1, 4, 1, 30, 1, 2, 1, 1, 6] * 4
    times = [sum(steps[:index]) / 30 for index in range(len(steps))]
    assert gaps(times) == []


def test_a_camera_that_halves_its_rate_is_missed_from_once() -> None:
    assert gaps([index / 25 for index in range(30)] + [30 / 25 + index / 12.5 for index in range(60)]) == [31]


def test_a_clock_that_is_set_is_no_gap() -> None:
    arrivals = [index / 25 for index in range(90)]
    forward = [at + (3600 if index >= 30 else 0) for index, at in enumerate(arrivals)]
    back = [at - (3600 if index >= 60 else 0) for index, at in enumerate(arrivals)]
    assert gaps(forward, arrivals) == []
    assert gaps(back, arrivals) == []


def test_an_outage_of_seconds_is_a_gap() -> None:
    times = [index / 25 + (5 if index >= 30 else 0) for index in range(60)]
    assert gaps(times) == [30]


def test_a_gap_is_distrusted_until_the_next_keyframe_and_not_for_ever() -> None:
    trust = Trust(lossy=True)
    times = [index / 25 for index in range(80) if index != 40]
    trusted = [trust.judge(packet=index, key=index % 25 == 0, pts_s=pts, at_s=pts) for index, pts in enumerate(times)]
    assert all(trusted[:40])
    assert not any(trusted[40:50])
    assert all(trusted[50:])
