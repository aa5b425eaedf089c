"""When the next try comes, with a turn that notes what it would have waited."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from monitor.clock import LiveClock
from monitor.errors import SourceError
from monitor.ingest.address import Address, AnsweredError, RefusedError
from monitor.ingest.retry import Patience, Retry
from monitor.ingest.turn import Turn, TurnOver

_LOST = SourceError("connection lost")
_PATIENCE = Patience(backoff_s=0.5, longest_backoff_s=5, hopeful_s=0, longest_refusal_s=60, well_s=2)


class _Noting(Turn):
    """Does not wait, but notes how long it would have."""

    def __init__(self) -> None:
        super().__init__(LiveClock())
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        self.check()
        self.waits.append(seconds)


def _retry(url: str = "file:a.mp4", patience: Patience = _PATIENCE) -> Retry:
    return Retry(url, patience, LiveClock(), lambda turn, reason: None)


def _longest_waits(error: Exception, tries: int) -> list[float]:
    """The longest of many drawn waits after each failure in a row."""
    turns = [_Noting() for _ in range(100)]
    for turn in turns:
        retry = _retry()
        for _ in range(tries):
            retry.wait(turn, error, tried_s=0, pictures=0)
    waits = list(zip(*(turn.waits for turn in turns), strict=True))
    assert all(max(drawn) / 2 - 0.1 < min(drawn) < max(drawn) for drawn in waits)  # so clients do not come at once
    return [max(drawn) for drawn in waits]


def test_wait_doubles_up_to_a_bound() -> None:
    assert _longest_waits(_LOST, 7) == pytest.approx([0.5, 1, 2, 4, 5, 5, 5], rel=0.1)


def test_wait_stays_short_while_there_is_hope() -> None:
    retry, turn = _retry(patience=replace(_PATIENCE, hopeful_backoff_s=1, hopeful_s=60)), _Noting()
    for _ in range(9):
        retry.wait(turn, _LOST, tried_s=0, pictures=0)
    assert max(turn.waits) <= 1


def test_wait_grows_longer_where_credentials_are_refused() -> None:
    refused = RefusedError("401 Unauthorized")
    assert _longest_waits(refused, 6) == pytest.approx([5, 10, 20, 40, 60, 60], rel=0.1)


def test_wait_counts_from_the_beginning_of_the_try() -> None:
    retry, turn = _retry(), _Noting()
    for _ in range(9):
        retry.wait(turn, _LOST, tried_s=10, pictures=0)
    assert max(turn.waits) <= 0.5


def test_wait_is_short_again_after_a_connection_that_was_well() -> None:
    retry, turn = _retry(), _Noting()
    for tried_s, pictures in [(0, 0)] * 6 + [(3, 0), (1, 9), (3, 9), (0, 0)]:
        retry.wait(turn, _LOST, tried_s=tried_s, pictures=pictures)
    assert turn.waits[-2] <= 0.5
    assert turn.waits[-1] <= 1


def test_wait_ends_as_soon_as_somebody_listens() -> None:
    told: list[str] = []
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))

        def listen_at_last(_: Turn, reason: str) -> None:
            told.append(reason)
            if len(told) == 3:
                server.listen()

        patience = replace(_PATIENCE, backoff_s=1000, longest_backoff_s=1000)
        url = f"rtsp://127.0.0.1:{server.getsockname()[1]}/main"
        retry, turn = Retry(url, patience, LiveClock(), listen_at_last), _Noting()
        retry.wait(turn, _LOST, tried_s=0, pictures=0)
        assert told == ["cannot open: Connection refused"] * 3
        assert sum(turn.waits) < 2
        retry.wait(turn, _LOST, tried_s=0, pictures=0)
    assert turn.waits[-1] > 400


def test_wait_for_somebody_who_listens_is_not_for_ever() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        url = f"rtsp://127.0.0.1:{server.getsockname()[1]}/main"
        _retry(url, Patience(longest_absence_s=0.01)).wait(_Noting(), _LOST, tried_s=0, pictures=0)


def test_wait_ends_with_the_turn() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        turn = Turn(LiveClock())
        retry = Retry(
            f"rtsp://127.0.0.1:{server.getsockname()[1]}/main", _PATIENCE, LiveClock(), lambda turn, _: turn.over.set()
        )
        with pytest.raises(TurnOver):
            retry.wait(turn, _LOST, tried_s=0, pictures=0)


def test_a_server_that_answers_is_left_alone_between_tries() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        retry, turn = _retry(f"rtsp://127.0.0.1:{server.getsockname()[1]}/main"), _Noting()
        retry.wait(turn, AnsweredError("404 Not Found"), tried_s=0, pictures=0)
        retry.wait(turn, RefusedError("401 Unauthorized"), tried_s=0, pictures=0)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert len(turn.waits) == 2


@pytest.mark.parametrize(
    ("url", "listener"),
    [
        ("rtsp://camera.example/main", ("camera.example", 554)),
        ("rtsp://user:pa/ss#word@camera.example:8554/main", ("camera.example", 8554)),
        ("rtsp://[::1]:8554/main", ("::1", 8554)),
        ("http://camera.example/video.mjpg", ("camera.example", 80)),
        ("tcp://camera.example:5000", ("camera.example", 5000)),
        ("tcp://camera.example", None),
        ("tcp://0.0.0.0:5000?listen", None),
        ("udp://127.0.0.1:5000", None),
        ("rtsp://camera.example:port/main", None),
        ("file:a.mp4", None),
        ("device:/dev/video0", None),
    ],
)
def test_listener_is_who_must_be_there(url: str, listener: tuple[str, int] | None) -> None:
    assert Address(url).listener() == listener


def test_listener_is_not_known_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    assert Address("https://camera.example/video.mjpg").listener() is None
    assert Address("rtsp://camera.example/main").listener() == ("camera.example", 554)
