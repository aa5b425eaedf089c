"""A stream that is published to, by aiortc: codecs, losses, silence, and who may follow whom."""

from __future__ import annotations

import asyncio
import os
import random
import threading
from pathlib import Path

import av
import psutil
import pytest

from monitor.clock import LiveClock
from monitor.ingest import AvFrame, PacketRing, write_clip
from monitor.messages import Frame
from tests.monitor.ingest.webrtc.watching import Watched
from tests.waiting import wait_until
from tests.webrtc_client import Publisher, without_candidates


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_what_is_published_is_decoded_whatever_its_size_becomes_and_can_be_kept(codec: str, tmp_path: Path) -> None:
    ring = PacketRing(1, 10**7, LiveClock())
    with Watched(ring=ring) as watched, Publisher(codec, audio=True) as publisher:
        assert watched.wait_for("connecting").reason == "no publisher yet"
        watched.take(publisher)
        watched.wait_for("live")
        frames = watched.wait_for_frames(45)
        assert all(frame.trusted for frame in frames)
        assert [frame.index for frame in frames] == list(range(frames[0].index, frames[0].index + len(frames)))
        assert frames[0].small(64).shape == (48, 64, 3)
        clip = write_clip(ring.cut(), tmp_path / "clip")
        assert clip.stat().st_size > 1000
        publisher.film.size = (640, 360)
        wait_until(lambda: watched.frames[-1].width == 640)
        statistics = watched.reader.statistics()
        assert (statistics.state, statistics.distrusted, statistics.decode_errors) == ("live", 0, 0)
        assert statistics.bytes > 10_000
        publisher.close()
        watched.wait_for("connecting", "no publisher")


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_losses_make_distrust_until_a_keyframe_which_is_asked_for(codec: str) -> None:
    with Watched() as watched, Publisher(codec, rtx=False) as publisher:
        watched.take(publisher)
        watched.wait_for_frames(10)
        publisher.lose = 3
        first = wait_until(lambda: next((frame for frame in watched.frames if not frame.trusted), None))
        back = wait_until(lambda: next((f for f in watched.frames[first.index :] if f.trusted), None))
        assert _picture(back).key_frame
        assert not any(f.trusted for f in watched.frames[first.index : back.index])
        assert all(f.trusted for f in watched.frames[: first.index])
        assert watched.reader.statistics().packets_corrupt == 3
        assert watched.reader.statistics().distrusted == back.index - first.index


def _picture(frame: Frame) -> av.VideoFrame:
    assert isinstance(frame, AvFrame)
    return frame.picture


def test_what_is_sent_again_in_time_was_never_lost() -> None:
    with Watched() as watched, Publisher() as publisher:  # with a stream for what is sent again
        watched.take(publisher)
        watched.wait_for_frames(10)
        publisher.lose = 1
        wait_until(lambda: publisher.lost)
        assert all(frame.trusted for frame in watched.wait_for_frames(20))
        assert watched.reader.statistics().packets_corrupt == 0


def test_an_offer_without_candidates_is_answered_with_ours_as_obs_needs_it() -> None:
    with Watched() as watched, Publisher("H264") as publisher:
        watched.take(publisher, sdp=without_candidates(publisher.offer))


def test_candidates_that_only_mdns_knows_are_not_waited_for() -> None:
    with Watched() as watched, Publisher() as publisher:
        hidden = [
            f"a=candidate:{n} 1 udp 2122260223 4a6ed4a4-e2f6-4a9d-9b5a-{n:012}.local 54321 typ host" for n in range(9)
        ]
        bare = without_candidates(publisher.offer).rstrip()
        sdp = "\r\n".join([bare, *hidden, "a=end-of-candidates", ""])
        began_s = LiveClock().now_s()
        watched.take(publisher, sdp=sdp)
        assert LiveClock().now_s() - began_s < 9  # each would be waited for a second


def test_a_publisher_that_falls_silent_is_stalled_and_makes_way() -> None:
    with Watched() as watched, Publisher() as first, Publisher() as second:
        watched.take(first)
        live = watched.wait_for("live")
        assert watched.offer(second.offer, "two").refusal == "busy"
        first.deaf_and_dumb = True
        stalled = watched.wait_for("stalled", "no frame for 2.5 s")
        assert stalled.since_s > live.since_s
        watched.take(second, "two")
        watched.wait_for("live")
        assert watched.leave("one").refusal == "unknown"
        assert watched.reader.statistics().stalls == 1
        assert watched.leave("two").refusal is None
        watched.wait_for("connecting", "no publisher: the last one has left")
        with Publisher() as third:
            watched.take(third, "three")  # at once


def test_a_network_that_comes_back_goes_on_from_a_keyframe() -> None:
    with Watched(stall_s=1) as watched, Publisher() as publisher:
        watched.take(publisher)
        publisher.deaf_and_dumb = True
        watched.wait_for("stalled", "no frame for 1 s")
        publisher.deaf_and_dumb = False
        watched.wait_for("live")
        wait_until(lambda: watched.frames[-1].trusted)
        assert watched.reader.statistics().reconnects == 0


def test_a_publisher_that_never_connects_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.ingest.webrtc.reader._FIRST_PICTURE_S", 0.5)
    with Watched() as watched, Publisher() as publisher:
        publisher.deaf_and_dumb = True
        assert watched.offer(publisher.offer).sdp is not None
        watched.wait_for("connecting", "a publisher is connecting")
        watched.wait_for("connecting", "no publisher: no picture came within 0.5 s")
        assert watched.leave().refusal == "unknown"


def test_a_callback_that_raises_costs_the_session_not_the_stream() -> None:
    with Watched() as watched, Publisher() as publisher, Publisher() as second:
        watched.broken = True
        reply = watched.offer(publisher.offer)
        assert reply.sdp is not None
        publisher.accept(reply.sdp)
        watched.wait_for("connecting", "no publisher: the decoding thread died of RuntimeError: no frames today")
        watched.broken = False
        watched.take(second)
        assert watched.reader.statistics().crashed == 1


def test_a_decoder_that_is_outrun_loses_pictures_and_catches_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.ingest.webrtc.pictures._MOST_WAITING", 5)
    with Watched() as watched, Publisher() as publisher:
        watched.take(publisher)
        watched.held.clear()
        wait_until(lambda: watched.reader.statistics().outrun > 5)
        watched.held.set()
        first = wait_until(lambda: next((frame for frame in watched.frames if not frame.trusted), None))
        wait_until(lambda: next((frame for frame in watched.frames[first.index :] if frame.trusted), None))


def test_sessions_leave_nothing_behind() -> None:
    us = psutil.Process()
    with Watched() as watched:
        with Publisher() as publisher:
            watched.take(publisher)
            watched.leave()
        wait_until(lambda: not _decoders())
        sockets, threads = len(us.net_connections()), threading.active_count()
        for _ in range(3):
            with Publisher() as publisher:
                assert watched.offer(publisher.offer).sdp is not None
                watched.leave()  # before it connects
            with Publisher() as publisher:
                watched.take(publisher)
                watched.leave()
        wait_until(lambda: not _decoders() and len(us.net_connections()) <= sockets)
        wait_until(lambda: threading.active_count() <= threads)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("webrtc-", "decode-"))]


def _decoders() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("decode-")]


def test_ports_and_further_addresses_are_as_configured() -> None:
    settings = {"port_min": 47000, "port_max": 47040, "addresses": ["203.0.113.7"]}
    with Watched(webrtc=settings) as watched, Publisher() as publisher:
        reply = watched.offer(publisher.offer)
        assert reply.sdp is not None
        candidates = [line.split() for line in reply.sdp.splitlines() if line.startswith("a=candidate:")]
        assert {int(candidate[5]) for candidate in candidates} <= set(range(47000, 47041))
        assert "203.0.113.7" in {candidate[4] for candidate in candidates}
        assert {candidate[7] for candidate in candidates} == {"host"}  # nobody outside was asked
        publisher.accept(reply.sdp)
        wait_until(lambda: watched.frames)


@pytest.mark.parametrize(
    ("change", "refusal", "said"),
    [
        (lambda sdp: "", "malformed", "v=0"),
        (lambda sdp: "<html>", "malformed", "v=0"),
        (lambda sdp: sdp.replace("VP8", "VP9"), "unusable", "offered is VP9; VP8 or H.264 is needed"),
        (lambda sdp: sdp.replace("VP8", "AV1"), "unusable", "offered is AV1"),
        (lambda sdp: sdp.replace("m=video", "m=audio"), "unusable", "no video"),
        (lambda sdp: sdp.replace("m=video", "m=application"), "unusable", "only audio and video"),
        (lambda sdp: sdp.replace("a=sendonly", "a=recvonly"), "unusable", "recvonly"),
        (lambda sdp: sdp.replace("a=ice-ufrag:", "a=x:"), "malformed", "ICE"),
        (lambda sdp: sdp.replace("a=fingerprint:", "a=x:"), "malformed", ""),
        (lambda sdp: sdp + "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n" * 65, "malformed", "64 candidates"),
        (lambda sdp: sdp + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n" * 9, "malformed", "more than 8 media"),
    ],
)  # fmt: skip
def test_offers_that_cannot_be_taken_are_refused_with_the_reason(
    watched: Watched, vp8: str, change: object, refusal: str, said: str
) -> None:
    assert callable(change)
    reply = watched.offer(change(vp8))
    assert (reply.refusal, reply.sdp) == (refusal, None), reply
    assert said in (reply.reason or "")
    assert "\n" not in (reply.reason or "")


@pytest.fixture(scope="module")
def watched() -> object:
    with Watched() as running:
        yield running


@pytest.fixture(scope="module")
def vp8() -> str:
    with Publisher() as publisher:
        return publisher.offer


def test_mutilated_offers_are_answered_one_way_or_the_other_and_leave_nothing(watched: Watched, vp8: str) -> None:
    us, dice = psutil.Process(), random.Random(7)
    before = len(us.net_connections()), threading.active_count()
    heard = set()
    for _ in range(500 if "GEND_SOAK" not in os.environ else 10_000):
        reply = watched.offer(_mutilated(vp8, dice))
        heard.add(reply.refusal)
        assert reply.refusal in {None, "malformed", "unusable"}, reply
        if reply.refusal is None:
            assert watched.leave().refusal is None
    assert heard == {None, "malformed", "unusable"}
    wait_until(lambda: len(us.net_connections()) <= before[0] and threading.active_count() <= before[1])
    wait_until(lambda: _tasks(watched) <= 6)
    with Publisher() as publisher:
        watched.take(publisher)  # as ever
        watched.leave()


def _tasks(watched: Watched) -> int:
    loop = watched.reader._loop._loop
    assert loop is not None
    return len(asyncio.all_tasks(loop))


def _mutilated(sdp: str, dice: random.Random) -> str:
    lines = sdp.splitlines()
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(lines))
        line = lines[at]
        match dice.randrange(7):
            case 0:
                del lines[at]
            case 1:
                lines.insert(dice.randrange(len(lines)), line)
            case 2:
                lines[at] = line[: dice.randrange(len(line) + 1)]
            case 3 if line:
                spot = dice.randrange(len(line))
                lines[at] = (
                    line[:spot] + chr(dice.choice([0, 9, 32, 58, 0x2028, dice.randrange(33, 500)])) + line[spot + 1 :]
                )
            case 4:
                lines[at] = line.replace("1", str(dice.choice([-1, 0, 2**31, 2**64, 10**40])))
            case 5:
                words = line.split(" ")
                dice.shuffle(words)
                lines[at] = " ".join(words)
            case _:
                lines[at] = line + dice.choice([" ", ":", ";", "=", "/", "x" * 3000, " 1 2 3", "\r\nm=video"])
        if not lines:
            break
    return "\r\n".join(lines) + dice.choice(["\r\n", "\n", ""])
