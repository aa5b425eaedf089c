"""A camera that does as it is told: an RTSP server of our own, for what no well-behaved server can be made to do.

It speaks RTSP 1.0 (RFC 2326) and sends H.264 (RFC 6184) or H.265 (RFC 7798) in RTP, interleaved with the conversation
or over UDP. What it shows is a script: steps, one after the other, for every client anew. Each client is served by a
thread.

    with Camera(lambda: film.play()) as camera:
        url = camera.url
"""

from __future__ import annotations

import base64
import itertools
import re
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import av

from tests.faults.hostile import nal
from tests.faults.hostile.nal import Codec
from tests.monitor.ingest.clips import make_clip
from tests.ports import free_port

_MTU = 1200
_RATE_HZ = 90_000


@dataclass(frozen=True)
class Shot:
    """One coded picture: its NAL units, on the camera's clock, and how long the camera waits after it."""

    nals: tuple[bytes, ...]
    at_s: float
    lasts_s: float = 0.04


@dataclass(frozen=True)
class Raw:
    """Bytes for the connection as they are."""

    content: bytes


@dataclass(frozen=True)
class Pause:
    """Nothing, for so long."""

    seconds: float


@dataclass(frozen=True)
class HangUp:
    """The connection is reset."""


Step = Shot | Raw | Pause | HangUp
Script = Callable[[], Iterable[Step]]


@dataclass(frozen=True)
class Film:
    """Coded pictures of a clip that was drawn for it; each keyframe brings its parameter sets."""

    pictures: tuple[tuple[bytes, ...], ...]
    frame_s: float = 0.04
    codec: Codec = "h264"

    @classmethod
    def draw(
        cls,
        path: Path,
        *,
        frames: int = 50,
        size: tuple[int, int] = (160, 120),
        gop: int = 10,
        frame_s: float = 0.04,
        codec: Codec = "h264",
    ) -> Self:
        """Draws and encodes a film without B-frames; the path's name must end in the name of the codec."""
        make_clip(path, frames=frames, size=size, gop=gop, codec=codec)
        with av.open(str(path)) as container:
            packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
        return cls(tuple(tuple(nal.split(packet)) for packet in packets), frame_s, codec)

    @property
    def parameter_sets(self) -> list[bytes]:
        """SPS and PPS, of H.265 the VPS before them."""
        return [unit for unit in self.pictures[0] if nal.is_parameters(self.codec, unit)]

    def shots(self, begin_s: float = 0.0) -> Iterator[Shot]:
        """The film once."""
        for number, nals in enumerate(self.pictures):
            yield Shot(nals, begin_s + number * self.frame_s, self.frame_s)

    def endless(self) -> Iterator[Shot]:
        """The film again and again, on one clock."""
        for turn in itertools.count():
            yield from self.shots(turn * len(self.pictures) * self.frame_s)


@dataclass
class Camera:
    """Listens on one port of loopback, for as long as it is open.

    Attributes:
        film: what the session description speaks of.
        script: what each client is shown after PLAY; the film for ever, without one. May be changed at any time.
        status: what is answered to DESCRIBE instead of 200.
        answer_s: how long it thinks about every request.
        mute_from: the first request that gets no answer any more, nor does what follows.
        lose: asked with the number of each RTP packet whether it gets lost, over TCP by the camera's own doing.
        requests: the methods asked for by clients so far.
    """

    film: Film
    script: Script | None = None
    status: str | None = None
    answer_s: float = 0.0
    mute_from: str | None = None
    lose: Callable[[int], bool] = lambda _: False
    requests: list[str] = field(default_factory=list)
    port: int = 0

    def __enter__(self) -> Self:
        self.switch_on()
        return self

    def __exit__(self, *_: object) -> None:
        self.switch_off()

    @property
    def url(self) -> str:
        """Where it is found, also after it was off."""
        return f"rtsp://127.0.0.1:{self.port}/main"

    def switch_on(self) -> None:
        """Begins to listen, on the port it had before if there was one."""
        self._off = threading.Event()
        self.port = self.port or free_port()
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self._threads = [threading.Thread(target=self._accept, name="camera")]
        self._threads[0].start()

    def switch_off(self) -> None:
        """Cuts every connection and stops listening, as without power but for the resets."""
        self._off.set()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with self._listener:
            while not self._off.is_set():
                if select.select([self._listener], [], [], 0.02)[0]:
                    connection, _ = self._listener.accept()
                    thread = threading.Thread(target=self._serve, args=(connection,), name="camera-client")
                    self._threads.append(thread)
                    thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, socket.socket(type=socket.SOCK_DGRAM) as datagrams, suppress(OSError):
            Client(self, connection, datagrams, self._off).serve()
        self.requests.append("gone")


class Client:
    """The camera's end of one connection."""

    def __init__(
        self, camera: Camera, connection: socket.socket, datagrams: socket.socket, off: threading.Event
    ) -> None:
        self._camera = camera
        self._connection = connection
        self._datagrams = datagrams
        self._off = off
        self._heard = b""
        self._muted = False
        self._packets = 0
        self._port: int | None = None

    def serve(self) -> None:
        """Answers until PLAY, shows the script, and hangs up when told to, or left alone."""
        while "PLAY" not in self._answer_what_comes(0.05):
            if self._off.is_set():
                return self._reset()
        for step in (self._camera.script or self._camera.film.endless)():
            match step:
                case Shot(nals, at_s, lasts_s):
                    self._send_picture(nals, at_s)
                    done = self._wait(lasts_s)
                case Raw(content):
                    self._connection.sendall(content)
                    done = self._wait(0)
                case Pause(seconds):
                    done = self._wait(seconds)
                case HangUp():
                    return self._reset()
            if done:
                return None
        return None

    def _wait(self, seconds: float) -> bool:
        """Answers what comes meanwhile; tells whether it is over."""
        deadline = time.monotonic() + seconds
        while True:
            left_s = deadline - time.monotonic()
            if "TEARDOWN" in self._answer_what_comes(min(0.05, max(0.0, left_s))):
                return True
            if self._off.is_set():
                self._reset()
                return True
            if left_s <= 0:
                return False

    def _answer_what_comes(self, seconds: float) -> list[str]:
        """The methods asked for, and answered, within that time. Raises OSError where the client has gone."""
        if not select.select([self._connection], [], [], seconds)[0]:
            return []
        received = self._connection.recv(65536)
        if not received:
            raise ConnectionError("the client has gone")
        self._heard += received
        methods = []
        while self._heard:
            if self._heard[:1] == b"$":  # RTCP of the client
                if len(self._heard) < 4 or len(self._heard) < 4 + int.from_bytes(self._heard[2:4], "big"):
                    break
                self._heard = self._heard[4 + int.from_bytes(self._heard[2:4], "big") :]
                continue
            request, end, rest = self._heard.partition(b"\r\n\r\n")
            if not end:
                break
            self._heard = rest
            methods.append(self._answer(request.decode()))
        return methods

    def _answer(self, request: str) -> str:
        camera = self._camera
        method = request.split(maxsplit=1)[0]
        camera.requests.append(method)
        self._muted = self._muted or method == camera.mute_from
        if self._muted:
            return f"{method} in vain"
        self._off.wait(camera.answer_s)
        sequence = re.search(r"CSeq: *(\d+)", request)
        head, body = [f"CSeq: {sequence[1] if sequence else 0}"], ""
        status = "200 OK"
        match method:
            case "OPTIONS":
                head.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
            case "DESCRIBE" if camera.status is not None:
                status = camera.status
            case "DESCRIBE":
                body = self._description()
                head += ["Content-Type: application/sdp", f"Content-Base: {camera.url}/"]
            case "SETUP":
                head += ["Session: 1;timeout=60", f"Transport: {self._transport(request)}"]
            case "PLAY":
                head += ["Session: 1"]
        head.append(f"Content-Length: {len(body)}")
        self._connection.sendall("\r\n".join([f"RTSP/1.0 {status}", *head, "", body]).encode())
        return method

    def _description(self) -> str:
        film = self._camera.film
        sets = [base64.b64encode(unit).decode() for unit in film.parameter_sets]
        if film.codec == "h264":
            name, profile = "H264", film.parameter_sets[0][1:4].hex()
            told = f"packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={','.join(sets)}"
        else:
            name, told = "H265", "sprop-vps={};sprop-sps={};sprop-pps={}".format(*sets)
        return (
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
            f"a=rtpmap:96 {name}/{_RATE_HZ}\r\na=control:video\r\na=fmtp:96 {told}\r\n"
        )

    def _transport(self, request: str) -> str:
        """Agrees to what the client wants."""
        ports = re.search(r"client_port=(\d+)-(\d+)", request)
        if ports is None:
            return "RTP/AVP/TCP;unicast;interleaved=0-1"
        self._port = int(ports[1])
        return f"RTP/AVP;unicast;client_port={ports[1]}-{ports[2]};server_port=6970-6971"

    def _send_picture(self, nals: tuple[bytes, ...], at_s: float) -> None:
        timestamp = round(at_s * _RATE_HZ) % 2**32
        payloads = [payload for unit in nals for payload in _fragments(self._camera.film.codec, unit)]
        for number, payload in enumerate(payloads):
            marker = 0x80 if number == len(payloads) - 1 else 0
            self._packets += 1
            packet = struct.pack(">BBHII", 0x80, marker | 96, self._packets % 2**16, timestamp, 1) + payload
            if self._camera.lose(self._packets):
                continue
            if self._port is None:
                self._connection.sendall(interleaved(packet))
            else:
                self._datagrams.sendto(packet, ("127.0.0.1", self._port))

    def _reset(self) -> None:
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def interleaved(packet: bytes) -> bytes:
    """A packet as it stands in the conversation (RFC 2326, section 10.12)."""
    return b"$" + struct.pack(">BH", 0, len(packet)) + packet


def _fragments(codec: Codec, unit: bytes) -> Iterator[bytes]:
    """Payloads of a NAL unit: itself, or where it is too long, fragments (RFC 6184, 5.8; RFC 7798, 4.4.3)."""
    if len(unit) <= _MTU:
        yield unit
        return
    if codec == "h264":
        header, body = bytes([unit[0] & 0xE0 | 28]), unit[1:]
    else:
        header, body = bytes([unit[0] & 0x81 | 49 << 1, unit[1]]), unit[2:]
    for begin in range(0, len(body), _MTU):
        first, last = begin == 0, begin + _MTU >= len(body)
        yield header + bytes([first << 7 | last << 6 | nal.kind(codec, unit)]) + body[begin : begin + _MTU]
