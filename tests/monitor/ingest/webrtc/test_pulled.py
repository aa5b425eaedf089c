"""A stream that is fetched over WHEP from a server that is not ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import pytest

from monitor.clock import LiveClock
from monitor.ingest import SourceStatus
from monitor.ingest.retry import Patience
from monitor.ingest.webrtc.pulled import PulledReader
from monitor.messages import Frame
from monitor.stream_config import StreamConfig
from monitor.webrtc_config import WebRtcConfig
from tests.logs import told
from tests.waiting import wait_until
from tests.whep_server import WhepServer

TOKEN = "a-token-for-whep"
BRISK = Patience(backoff_s=0.1, longest_backoff_s=0.2, refusal_backoff_s=0.1, longest_refusal_s=0.2)


class _Watched:
    def __init__(self, url: str, **settings: Any) -> None:
        self.frames: list[Frame] = []
        self.statuses: list[SourceStatus] = []
        config = StreamConfig.model_validate({"name": "lobby", "url": url, **settings})
        self.reader = PulledReader(
            config,
            WebRtcConfig(),
            on_frame=self.frames.append,
            on_status=self.statuses.append,
            clock=LiveClock(),
            patience=BRISK,
        )

    def __enter__(self) -> Self:
        self.reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.reader.stop(20)

    def wait_for(self, state: str, reason: str = "") -> SourceStatus:
        return wait_until(
            lambda: next((s for s in self.statuses if s.state == state and reason in (s.reason or "")), None)
        )


@pytest.fixture(scope="module")
def server() -> Iterator[WhepServer]:
    with WhepServer() as running:
        yield running


def test_a_stream_is_fetched_again_when_it_is_lost_and_let_go_at_the_end() -> None:
    with WhepServer(TOKEN) as server:
        with _Watched(server.url(), token=TOKEN) as watched:
            wait_until(lambda: len(watched.frames) > 20)
            watched.wait_for("live")
            assert watched.frames[-1].width == 320
            before = len(watched.frames)
            server.drop()
            watched.wait_for("connecting", "connection lost: the other end has")
            wait_until(lambda: len(watched.frames) > before + 20)
            assert watched.reader.statistics().reconnects == 1
        assert server.asked == [("/whep/lobby", f"Bearer {TOKEN}")] * 2
        assert server.left[-1] == "2"


def test_a_server_that_falls_silent_is_stalled() -> None:
    with WhepServer() as silent, _Watched(silent.url()) as watched:
        watched.wait_for("live")
        silent.film.stop()
        watched.wait_for("stalled", "no frame for 2.5 s")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/nowhere", "the server has no such stream (404)"),
        ("/elsewhere", "points elsewhere (301)"),
        ("/circle", "points elsewhere (307)"),
        ("/page", "no session description"),
        ("/nonsense", "the answer has no video in VP8 or H.264"),
        ("/flood", "answer is too large"),
        ("/busy", "the server answers 503: too many viewers"),
    ],
)
def test_what_is_wrong_is_said(server: WhepServer, path: str, reason: str) -> None:
    with _Watched(server.url(path)) as watched:
        watched.wait_for("connecting", reason)


def test_nobody_there_is_said_without_the_address() -> None:
    with WhepServer() as server:
        url = server.url().replace("//", "//user:hunter22@")
    with _Watched(url) as watched:
        status = watched.wait_for("connecting", "cannot open")
        assert "hunter22" not in str(watched.statuses)
        assert "127.0.0.1" not in str(status.reason)


def test_a_redirect_is_followed_and_the_token_is_for_its_server_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with WhepServer(TOKEN) as server, WhepServer() as other:
        with _Watched(server.url("/moved"), token=TOKEN) as watched:
            wait_until(lambda: watched.frames)
        server.away_to = other.url().removeprefix("whep+")
        with _Watched(server.url("/away"), token=TOKEN) as watched:
            wait_until(lambda: watched.frames)
        assert other.asked == [("/whep/lobby", None)]
        with _Watched(server.url(), token="another-token") as watched:
            watched.wait_for("connecting", "the server refuses the token (401)")
        with _Watched(server.url()) as watched:
            watched.wait_for("connecting", "the server wants a token (401)")
    assert told(caplog)
    assert not [line for line in told(caplog) if TOKEN in line]
    assert not [record for record in caplog.records if TOKEN in record.getMessage()]
