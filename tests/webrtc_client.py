"""A publisher that is not ours: aiortc as WHIP client, in a thread of its own, which can lose packets and go silent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from fractions import Fraction
from typing import Any, Self, TypeVar

import av
import httpx
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamTrack, VideoStreamTrack

T = TypeVar("T")
SDP = {"Content-Type": "application/sdp"}


class Film(VideoStreamTrack):
    """Thirty pictures a second of something that moves; `size` may change meanwhile."""

    def __init__(self, size: tuple[int, int] = (320, 240)) -> None:
        super().__init__()
        self.size = size
        self._count = 0

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        width, height = self.size
        self._count += 1
        line = (np.arange(width) * 2 + self._count * 5) % 256
        picture = np.repeat(np.tile(line, (height, 1))[..., None], 3, 2).astype(np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = pts, Fraction(time_base)
        return frame


class LoopThread:
    """An event loop beside the test."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda *_: None)  # aiortc's own tasks, on connections that a test breaks
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout_s: float = 30) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout_s)

    def stop(self) -> None:
        async def end() -> None:
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

        self.run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


def connection() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


def only(codec: str, *, rtx: bool = True) -> list[Any]:
    names = {codec, "rtx"} if rtx else {codec}
    return [each for each in RTCRtpSender.getCapabilities("video").codecs if each.name in names]


def without_candidates(sdp: str) -> str:
    """As OBS sends its offers."""
    return "".join(
        line for line in sdp.splitlines(keepends=True) if not line.startswith(("a=candidate:", "a=end-of-candidates"))
    )


class Publisher:
    """One connection that sends. `offer` makes what is to be posted, `accept` takes what came back.

    Args:
        codec: VP8 or H264.
        audio: whether sound is sent too.
        rtx: whether lost packets may be sent again in a stream of their own.
        film: what is shown; by default `film`, which moves.
    """

    def __init__(
        self,
        codec: str = "VP8",
        *,
        audio: bool = False,
        rtx: bool = True,
        film: MediaStreamTrack | None = None,
    ) -> None:
        self.film = Film()
        self._shown = film or self.film
        self.lost: set[int] = set()
        """Sequence numbers that were dropped, and are whenever they are sent again."""
        self.lose = 0
        """How many packets are lost next."""
        self.deaf_and_dumb = False
        """The cable is pulled: nothing is sent any more."""
        self.session: str | None = None
        self._threads = LoopThread()
        self._codec, self._audio, self._rtx = codec, audio, rtx
        self._connection: RTCPeerConnection = self._threads.run(self._make())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._threads.stop()

    @property
    def offer(self) -> str:
        return str(self._connection.localDescription.sdp)

    def accept(self, answer: str) -> None:
        self._threads.run(self._connection.setRemoteDescription(RTCSessionDescription(answer, "answer")))

    def publish(self, url: str, *, offer: str | None = None, token: str | None = None) -> httpx.Response:
        """By WHIP."""
        headers = SDP if token is None else {**SDP, "Authorization": f"Bearer {token}"}
        response = httpx.post(url, content=offer or self.offer, headers=headers, timeout=30)
        if response.status_code == 201:
            self.session = str(response.url.join(response.headers["location"]))
            self.accept(response.text)
        return response

    def close(self) -> None:
        """As a page that is left: the other end is told."""
        self._threads.run(self._connection.close())

    async def _make(self) -> RTCPeerConnection:
        made = connection()
        video = made.addTransceiver(self._shown, "sendonly")
        video.setCodecPreferences(only(self._codec, rtx=self._rtx))
        if self._audio:
            made.addTransceiver(AudioStreamTrack(), "sendonly")
        await made.setLocalDescription(await made.createOffer())
        transport = video.sender.transport.transport
        send = transport._send

        async def lossy(data: bytes) -> None:
            if self.deaf_and_dumb or self._drops(data):
                return
            await send(data)

        transport._send = lossy
        return made

    def _drops(self, data: bytes) -> bool:
        if not 127 < data[0] < 192 or 192 <= data[1] <= 223:
            return False  # no RTP
        number = int.from_bytes(data[2:4])
        if self.lose and number not in self.lost:
            self.lose -= 1
            self.lost.add(number)
        return number in self.lost
