from __future__ import annotations

import io
import logging
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import av
import pytest

from monitor.redact import RedactingFilter, Redactor, redact, split_user_part, url_secrets
from tests.monitor.ingest.clips import make_clip
from tests.rtsp_server import RtspServer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rtsp://user:hunter2@camera/main", "rtsp://***@camera/main"),
        ("rtsp://user@camera/main", "rtsp://***@camera/main"),
        ("'rtsp://user:p@ss@camera:554/main'; next", "'rtsp://***@camera:554/main'; next"),
        ("rtsp://user:p/a#s?s@camera/main", "rtsp://***@camera/main"),
        ("rtsp://user:p@a/ss@camera/main", "rtsp://***@camera/main"),
        ("rtsp://user:p%40ss%2F@camera/main", "rtsp://***@camera/main"),
        ("rtsp://user:pa ss'w\"ord@camera/main", "rtsp://***@camera/main"),
        ("rtsp://user:pässwört@camera/main", "rtsp://***@camera/main"),
        ("from rtsp://a:b@c/d to rtmp://e:f@g/h", "from rtsp://***@g/h"),
        ("cut off: rtsp://user:hunter", "cut off: rtsp://***"),
        ("no scheme: user:p@ss@camera/main", "no scheme: ***@camera/main"),
        ("no scheme: //user:hunter2@camera/main", "no scheme: //***@camera/main"),
        ("http://hub/x?src=rtsp%3A%2F%2Fuser%3Ahunter2%40camera", "http://hub/x?src=rtsp%3A%2F%2F***%40camera"),
        ("GET /live?a=1&token=abc&b=2 HTTP/1.1", "GET /live?a=1&token=***&b=2 HTTP/1.1"),
        ("/user=admin_password=tlJw_channel=1.sdp", "/user=***"),
        ("srt://host:9000?passphrase=0123456789&mode=caller", "srt://host:9000?passphrase=***&mode=caller"),
        ("{'password': x} X-Api-Key=hunter2", "{'password': x} X-Api-Key=***"),
        ("Authorization: Basic dXNlcjpodW50ZXIy\r\nCSeq: 2", "Authorization: ***\r\nCSeq: 2"),
        ('Authorization: Digest username="u", response="af01"\n', "Authorization: ***\n"),
        ("Cookie: session=1", "Cookie: ***"),
        ("sent Bearer abc.def", "sent Bearer ***"),
    ],
)
def test_redact_hides_what_looks_like_a_credential(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://camera.example:554/main",
        "rtsp://[fe80::1]:554/main",
        "http://127.0.0.1:8080: port in use",
        "[rtsp @ 0x55d0c0ffee] method DESCRIBE failed: 404 (Not Found)",
        "monitor.yaml:12: streams.lobby.url: unknown scheme",
        "sqlite+aiosqlite:///gend-monitor.db",
        "file:///recordings/12:30.mp4",
        "mqtt://broker:1883, prefix gend",
        "keyframe at 12.5 s, 3 tokens",
    ],
)
def test_redact_leaves_the_rest_alone(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "text",
    ["s3cr/t@x y", "s3cr%2Ft%40x%20y", "s3cr%2ft%40x%20y", "s3cr%2Ft%40x+y", "s3cr/t%40x%20y", "'s3cr/t@x y'"],
)
@pytest.mark.parametrize("known", ["s3cr/t@x y", "s3cr%2Ft%40x%20y"])
def test_redactor_hides_a_known_secret_in_every_spelling(known: str, text: str) -> None:
    hidden = Redactor([known])(f"so it was {text}, was it?")
    assert hidden.replace("'", "") == "so it was ***, was it?"


def test_redactor_leaves_short_secrets_to_the_patterns() -> None:
    assert Redactor(["12"])("12 cameras, rtsp://user:12@camera") == "12 cameras, rtsp://***@camera"


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("rtsp://user:a@b@camera/main", ("rtsp://", "user:a@b", "@camera/main")),
        ("rtsp://user:a/b#c@camera:554/main", ("rtsp://", "user:a/b#c", "@camera:554/main")),
        ("rtsp://user:a@camera/main@2", ("rtsp://", "user:a", "@camera/main@2")),
        ("rtsp://camera:554/main@2", ("rtsp://camera:554/main@2", "", "")),
        ("rtsp://[::1]:554/main", ("rtsp://[::1]:554/main", "", "")),
        ("file:/a:b@c.mp4", ("file:/a:b@c.mp4", "", "")),
    ],
)
def test_split_user_part(url: str, parts: tuple[str, str, str]) -> None:
    assert split_user_part(url) == parts


def test_url_secrets_are_the_password_its_authorization_and_secret_parameters() -> None:
    secrets = url_secrets("rtsp://user:hunter2@camera/main?channel=1&token=abcdef")
    assert set(secrets) == {"hunter2", "dXNlcjpodW50ZXIy", "abcdef"}
    assert url_secrets("rtsp://camera/main") == ()


def test_filter_redacts_messages_arguments_and_tracebacks() -> None:
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    handler.addFilter(RedactingFilter(Redactor(["s3cret-token"])))
    error = ValueError("rtsp://user:hunter2@camera/main")
    arguments = ("open", "s3cret-token")
    record = logging.LogRecord("x", logging.ERROR, "", 0, "cannot %s with %s", arguments, (ValueError, error, None))
    handler.handle(record)
    told = output.getvalue()
    assert "cannot open with ***" in told
    assert "ValueError: rtsp://***@camera/main" in told
    assert "hunter2" not in told


@pytest.fixture
def ffmpeg_log() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """Everything FFmpeg has to say, at its most talkative: as it is, and redacted by patterns alone."""
    raw, redacted = io.StringIO(), io.StringIO()
    handlers = [logging.StreamHandler(raw), logging.StreamHandler(redacted)]
    logger = logging.getLogger("libav")
    level, propagate = logger.level, logger.propagate
    logger.setLevel(1)
    logger.propagate = False
    # The order matters: the filter rewrites the record for the handlers after it.
    handlers[1].addFilter(RedactingFilter(Redactor()))
    for handler in handlers:
        logger.addHandler(handler)
    av.logging.set_level(av.logging.TRACE)
    yield raw, redacted
    av.logging.set_level(None)
    for handler in handlers:
        logger.removeHandler(handler)
    logger.setLevel(level)
    logger.propagate = propagate


def test_ffmpegs_own_messages_keep_no_secret(tmp_path: Path, ffmpeg_log: tuple[io.StringIO, io.StringIO]) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=10)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = unused.getsockname()[1]
    password = 's3cr/t@x#"ü'
    with RtspServer({"main": clip}, user="viewer", password=password) as camera:
        right = camera.url("main")
        urls = [
            right,
            camera.url("attic"),
            right.replace("s3cr", "s3crwrong"),
            right.replace("rtsp:", "http:") + "?token=s3cr-token",
            f"rtsp://viewer:s3cr@{'x' * 1000}s3cr@127.0.0.1:{closed}/main",
            f"rtmp://viewer:s3cr@127.0.0.1:{closed}/live/main",
            f"http://127.0.0.1:{closed}/live.m3u8?auth=s3cr",
            "file:/absent/s3cr.mp4?password=s3cr".replace("/s3cr", "/a"),
        ]
        failures = [failure for url in urls if (failure := open_and_close(url))]
    raw, redacted = (stream.getvalue() for stream in ffmpeg_log)
    assert len(failures) == len(urls) - 1
    # FFmpeg does quote all this, so that hiding it is a feat:
    for secret in ("s3cr", "dmlld2VyOnMzY3I"):
        assert secret in raw + "".join(failures)
        assert secret not in redacted
        assert secret not in redact("\n".join(failures))


def open_and_close(url: str) -> str | None:
    """The text of PyAV's exception, if there is one."""
    with suppress(UnicodeError):
        try:
            av.open(url, options={"rtsp_transport": "tcp"}, timeout=3).close()
        except av.error.FFmpegError as error:
            return str(error)
    return None
