"""Added streams connect to where they may lead, and their names are looked up anew each time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from monitor.added_stream import AddedStreamConfig
from monitor.clock import LiveClock
from monitor.errors import SourceError
from monitor.ingest import Reader, SourceStatus, Way
from monitor.ingest.address import RefusedError
from monitor.ingest.retry import Patience
from monitor.reach_config import ReachConfig
from monitor.stream_config import StreamConfig
from tests.waiting import wait_until

HERE = ReachConfig(networks=["127.0.0.1/32", "10.0.0.0/8"])
BRISK = Patience(backoff_s=0.1, longest_backoff_s=0.2, refusal_backoff_s=0.1, longest_refusal_s=0.2, open_s=2)


def bound(url: str, within: ReachConfig = HERE) -> AddedStreamConfig:
    return AddedStreamConfig.bound(StreamConfig.model_validate({"name": "porch", "url": url}), within)


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        ("rtsp://camera.test:8554/main?channel=1", "rtsp://10.0.0.5:8554/main?channel=1"),
        ("rtsp://user:p%40ss@camera.test/main", "rtsp://user:p%40ss@10.0.0.5/main"),
        ("rtsp://user:a/b@camera.test/main", "rtsp://user:a%2Fb@10.0.0.5/main"),
        ("rtsp://user:a@evil.test@camera.test/main", "rtsp://user:a%40evil.test@10.0.0.5/main"),
    ],
)
def test_the_checked_address_is_what_is_opened(url: str, opened: str) -> None:
    asked: list[str] = []

    def resolve(host: str) -> list[str]:
        asked.append(host)
        return ["10.0.0.5"]

    assert Way(bound(url), resolve).url() == opened
    assert asked == ["camera.test"]


def test_ipv6_is_written_as_such() -> None:
    within = ReachConfig(networks=["fc00::/7"])
    assert Way(bound("rtsp://camera.test:554/a", within), lambda _: ["fd12::5"]).url() == "rtsp://[fd12::5]:554/a"


def test_another_scheme_is_refused_and_an_unknown_host_may_be_known_soon() -> None:
    with pytest.raises(RefusedError, match="rtsps: is not among"):
        Way(bound("rtsps://camera.test/a", ReachConfig(schemes=["rtsp"])), lambda _: ["10.0.0.5"]).url()

    def nowhere(_: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "nowhere")

    with pytest.raises(SourceError, match="host name not found") as unknown:
        Way(bound("rtsp://camera.test/a"), nowhere).url()
    assert not isinstance(unknown.value, RefusedError)


def test_streams_of_the_file_go_where_they_say() -> None:
    def never(_: str) -> list[str]:
        raise AssertionError

    plain = StreamConfig.model_validate({"name": "porch", "url": "rtsp://127.0.0.1/a"})
    assert Way(plain, never).url() == "rtsp://127.0.0.1/a"


@pytest.fixture
def camera() -> Iterator[tuple[int, list[object]]]:
    """Takes connections and hangs up; the port, and who came."""
    came: list[object] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, peer = server.accept()
            except OSError:
                return
            came.append(peer)
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1], came
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def test_a_name_that_leads_elsewhere_the_next_time_is_not_followed(camera: tuple[int, list[object]]) -> None:
    port, came = camera
    answers = [["127.0.0.1"]]
    statuses: list[SourceStatus] = []
    reader = Reader(
        bound(f"rtsp://camera.test:{port}/main"),
        on_frame=lambda _: None,
        on_status=statuses.append,
        clock=LiveClock(),
        patience=BRISK,
        resolve=lambda _: answers[-1],
    )
    reader.start()
    try:
        wait_until(lambda: came)
        answers.append(["169.254.169.254"])
        wait_until(lambda: any("169.254.169.254 is a link-local address" in (s.reason or "") for s in statuses))
        before = len(came)
        answers.append(["127.0.0.1"])
        wait_until(lambda: len(came) > before)
        assert not any("camera.test" in (s.reason or "") for s in statuses)
    finally:
        assert reader.stop(20)
