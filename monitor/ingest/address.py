"""The address of an input: how FFmpeg is to open it, and how to speak of its failures without its secrets."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlsplit

import av
from av.error import (
    ExitError,
    FFmpegError,
    HTTPClientError,
    HTTPError,
    HTTPForbiddenError,
    HTTPUnauthorizedError,
    ProtocolNotFoundError,
)

from monitor.errors import ConfigError, SourceError
from monitor.reach import LookUpError, UnknownHostError, look_up
from monitor.redact import Redactor, split_user_part, url_secrets
from monitor.stream_config import StreamConfig

Transport = Literal["tcp", "udp"]

_UNPROBED = {"analyzeduration": "0", "probesize": "32"}
# FFmpeg's 5 s and more serve to find streams that come late, and frame rates; live there is no time for either.
_BRIEFLY_PROBED = {"analyzeduration": "1000000"}
# What PyAV's own wheels are built without.
_OPTIONAL_PROTOCOLS = ("srt",)
_PORTS = {"rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443, "http": 80, "https": 443, "tcp": None}
"""Of the schemes for which somebody must listen, the port where none is given."""
# These go through the proxy that the environment names.
_PROXIED = ("rtsps", "rtmps", "http", "https")
# FFmpeg's name for the way to a camera of this machine.
_DEVICE_FORMATS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}


class AnsweredError(SourceError):
    """The other end is there, and says no."""


class RefusedError(AnsweredError):
    """The other end wants other credentials: to ask again soon does not help, and may lock us out."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What FFmpeg needs to be told to open an address."""

    url: str
    format: str | None = None
    attempts: tuple[Mapping[str, str], ...] = ({},)
    """Options, the quickest way first; the next is tried where FFmpeg then finds no video."""


def check_protocols(streams: Iterable[StreamConfig]) -> None:
    """Refuses streams whose protocol this build of FFmpeg lacks: trying again would never help.

    Raises:
        ConfigError: names the stream.
    """
    for stream in streams:
        for field, each in (("url", stream), ("detect_url", stream.substream())):
            if each is not None and each.scheme in _OPTIONAL_PROTOCOLS and not _spoken(each.scheme):
                raise ConfigError(f"streams.{stream.name}.{field}: this build of FFmpeg does not speak {each.scheme}:")


def _spoken(scheme: str) -> bool:
    try:
        av.open(f"{scheme}://", timeout=1.0).close()
    except ProtocolNotFoundError:
        return False
    except FFmpegError:
        return True  # it knows the protocol, and misses an address
    return True


class Address:
    """A URL of the configuration: how to open it, and how to speak of it without telling its secrets."""

    def __init__(self, url: str) -> None:
        self.scheme = url.partition(":")[0].lower()
        self._url = url
        self._redact = Redactor(url_secrets(url))

    def recipe(self, transport: Transport) -> Recipe:
        """What FFmpeg needs to be told. Raises SourceError for a device where there is no way to one."""
        match self.scheme:
            case "rtsp" | "rtsps":
                over = {"rtsp_transport": str(transport)}
                if transport == "tcp":
                    # With room to put packets in order, FFmpeg tells of those that are missing; it has none by default.
                    over["reorder_queue_size"] = "2"
                # The session description mostly names the codec, and probing costs most of a second.
                return Recipe(self._escaped(), attempts=({**over, **_UNPROBED}, over))
            case "device":
                device_format = _DEVICE_FORMATS.get(sys.platform)
                if device_format is None:
                    raise SourceError(f"cannot open: no way to devices on {sys.platform} is known")
                # AVFoundation refuses its own default rate of 29.97 on most cameras.
                options = {"framerate": "30"} if device_format == "avfoundation" else {}
                return Recipe(self._url.partition(":")[2], format=device_format, attempts=(options,))
            case "udp" | "rtp" | "tcp" | "srt" | "rtmp" | "rtmps":
                # By default a UDP buffer that once ran over ends the stream.
                over = {"overrun_nonfatal": "1"} if self.scheme == "udp" else {}
                return Recipe(self._escaped(), attempts=({**over, **_BRIEFLY_PROBED}, over))
            case _:
                return Recipe(self._escaped())

    def listener(self) -> tuple[str, int] | None:
        """Host and port at which somebody must listen for this address to be opened; None where that is not known."""
        try:
            parts = urlsplit(self._escaped())
            host, port = parts.hostname, parts.port or _PORTS.get(self.scheme)
        except ValueError:
            return None
        waits_itself = "listen" in parts.query
        proxied = self.scheme in _PROXIED and "http_proxy" in os.environ
        if self.scheme not in _PORTS or not host or port is None or waits_itself or proxied:
            return None
        return host, port

    def cannot_open(self, error: FFmpegError, *, silent_s: float | None) -> SourceError:
        """Why opening failed, in one line.

        Args:
            error: what FFmpeg says. It reports silence as any of several errors.
            silent_s: how long the other end said nothing, where that was too long.
        """
        if silent_s is not None:
            return SourceError(f"cannot open: no answer within {silent_s:.0f} s")
        if isinstance(error, ProtocolNotFoundError):
            return SourceError(f"cannot open: this build of FFmpeg does not speak {self.scheme}:")
        if isinstance(error, OSError) and error.errno == errno.EIO and (unknown := self._unknown_host()) is not None:
            return SourceError(f"cannot open: {unknown}")
        reason = self._redact(f"cannot open: {error.strerror or type(error).__name__}")
        match error:
            case HTTPUnauthorizedError() | HTTPForbiddenError():
                return RefusedError(reason)
            case HTTPClientError() | HTTPError():
                return AnsweredError(reason)
            case _:
                return SourceError(reason)

    def lost(self, error: FFmpegError) -> str:
        """Why reading failed, in one line."""
        if isinstance(error, ExitError | TimeoutError):
            return "connection lost: nothing arrived any more"
        return self._redact(f"connection lost: {error.strerror or type(error).__name__}")

    def _escaped(self) -> str:
        """The URL with what may not stand in a password percent-encoded, as a pasted ${VARIABLE} may hold it."""
        before, user_part, after = split_user_part(self._url)
        return before + quote(user_part, safe=":%!$&'()*+,;=") + after

    def _unknown_host(self) -> str | None:
        """What is wrong with the host's name, of which FFmpeg says no more than EIO; None: nothing."""
        try:
            host = urlsplit(self._escaped()).hostname
            if host is not None:
                look_up(host)
        except LookUpError as error:
            return str(error)
        except (UnknownHostError, ValueError):
            return "host name not found (write / @ # ? in a password as %2F %40 %23 %3F)"
        return None
