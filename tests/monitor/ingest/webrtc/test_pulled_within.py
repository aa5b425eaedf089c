"""Added streams that are fetched over WHEP: redirects, sessions and candidates lead nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from monitor.added_stream import AddedStreamConfig
from monitor.clock import LiveClock
from monitor.ingest import SourceStatus
from monitor.ingest.retry import Patience
from monitor.ingest.webrtc.descriptions import leading_within
from monitor.ingest.webrtc.pulled import PulledReader
from monitor.messages import Frame
from monitor.reach_config import ReachConfig
from monitor.stream_config import StreamConfig
from monitor.webrtc_config import WebRtcConfig
from tests.waiting import wait_until
from tests.whep_server import WhepServer

# Candidates of the server are those of this machine, whatever they are.
HERE = ReachConfig(schemes=["whep+http"], networks=["127.0.0.1/32", "0.0.0.0/0"])
BRISK = Patience(backoff_s=0.1, longest_backoff_s=0.2, refusal_backoff_s=0.1, longest_refusal_s=0.2)


@contextmanager
def watched(url: str, answers: list[list[str]]) -> Iterator[tuple[list[Frame], list[SourceStatus]]]:
    frames: list[Frame] = []
    statuses: list[SourceStatus] = []
    reader = PulledReader(
        AddedStreamConfig.bound(StreamConfig.model_validate({"name": "lobby", "url": url}), HERE),
        WebRtcConfig(),
        on_frame=frames.append,
        on_status=statuses.append,
        clock=LiveClock(),
        patience=BRISK,
        resolve=lambda host: answers[-1] if host == "media.test" else [host],
    )
    reader.start()
    try:
        yield frames, statuses
    finally:
        assert reader.stop(20)


@pytest.fixture(scope="module")
def server() -> Iterator[WhepServer]:
    with WhepServer() as running:
        yield running


def test_a_name_is_checked_again_when_the_stream_is_fetched_again(server: WhepServer) -> None:
    answers = [["127.0.0.1"]]
    with watched(server.url().replace("127.0.0.1", "media.test"), answers) as (frames, statuses):
        wait_until(lambda: len(frames) > 5)
        asked = len(server.asked)
        answers.append(["127.0.0.2"])
        server.drop()
        wait_until(lambda: any("127.0.0.2 is a loopback address" in (s.reason or "") for s in statuses))
        assert len(server.asked) == asked


def test_redirects_do_not_lead_out(server: WhepServer) -> None:
    for away, said in (
        (f"http://127.0.0.2:{server.port}/whep/lobby", "127.0.0.2 is a loopback address"),
        (f"https://127.0.0.1:{server.port}/whep/lobby", "whep+https: is not among"),
    ):
        server.away_to, asked = away, len(server.asked)
        with watched(server.url("/away"), [[]]) as (_, statuses):
            wait_until(lambda: any(said in (s.reason or "") for s in statuses))  # noqa: B023
        assert len(server.asked) == asked


def test_candidates_elsewhere_are_left_out() -> None:
    lines = [
        "v=0",
        "a=candidate:1 1 udp 1 10.0.0.5 5000 typ host",
        "a=candidate:2 1 udp 1 169.254.169.254 80 typ host",
        "a=candidate:3 1 udp 1 203.0.113.7 5000 typ host",
        "a=candidate:4 1 udp 1 1b2c.local 5000 typ host",
        "a=candidate:5 1 udp 1",
    ]
    kept = leading_within("\r\n".join(lines), ReachConfig(), ("203.0.113.7",))
    assert kept.splitlines() == [lines[0], lines[1], lines[3]]
