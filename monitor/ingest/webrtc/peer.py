"""One WebRTC connection that receives: aiortc, and what is different from how it comes.

Packets are taken where aiortc has them in hand: after decryption and retransmission, in place of its jitter buffer.
So it decodes nothing, keeps no queue that nobody empties, and its own feedback to the sender stays. That place is a
private one of aiortc's; where it is not as expected, no connection is made, and it is said why.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription
from aiortc.exceptions import OperationError
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from monitor.errors import SourceError
from monitor.ingest.webrtc.assembly import Assembler, Codec, Ignored
from monitor.ingest.webrtc.descriptions import OfferError, codecs_of, parsed, with_addresses
from monitor.redact import one_line
from monitor.webrtc_config import WebRtcConfig

_log = logging.getLogger("monitor.ingest")

_BUFFER = "_RTCRtpReceiver__jitter_buffer"
_CLOSE_S = 3.0
_NO_ADDRESS = "this machine has no network address that a publisher could reach"

# They tell of each odd packet of a stranger, with tracebacks.
for _library in ("aiortc", "aioice"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)


class Peer:
    """A connection. All of it is used from one event loop.

    Args:
        config: how the other end finds us.
        new_assembler: makes what takes the packets of the video, of the payload types that are agreed on.
        on_end: called, perhaps more than once, when the other end has closed it or is lost; says how.
    """

    def __init__(
        self,
        config: WebRtcConfig,
        new_assembler: Callable[[dict[int, Codec]], Assembler],
        on_end: Callable[[str], None],
    ) -> None:
        self._addresses = config.addresses
        self._new_assembler = new_assembler
        self._on_end = on_end
        self.assembler: Assembler | None = None
        self._draining: list[asyncio.Task[None]] = []
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=_servers(config)))
        self._connection.on("connectionstatechange", self._changed)
        self._connection.on("track", self._track)

    async def answer(self, offer: str) -> str:
        """Takes an offer that was looked over, and returns the answer with all candidates.

        Raises:
            OfferError: it cannot be answered.
        """
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        except OperationError as error:
            raise OfferError("unusable", "no video codec in common: VP8 or H.264 is needed") from error
        except Exception as error:
            raise OfferError("malformed", f"the offer cannot be taken: {one_line(error)}") from error
        try:
            await self._connection.setLocalDescription(await self._connection.createAnswer())
        except OSError as error:
            raise OfferError("unavailable", f"no UDP port for media: {error.strerror or error}") from error
        except Exception as error:
            raise OfferError("malformed", f"the offer cannot be answered: {one_line(error)}") from error
        answer = self._connection.localDescription.sdp
        self._take_packets(answer)
        if "a=candidate:" not in answer:
            raise OfferError("unavailable", _NO_ADDRESS)
        return with_addresses(answer, self._addresses)

    async def offer(self) -> str:
        """An offer to receive one video, with all candidates. Raises SourceError where none can be made."""
        self._connection.addTransceiver("video", direction="recvonly")
        try:
            await self._connection.setLocalDescription(await self._connection.createOffer())
        except OSError as error:
            raise SourceError(f"no UDP port for media: {error.strerror or error}") from error
        return with_addresses(self._connection.localDescription.sdp, self._addresses)

    async def accept(self, answer: str) -> None:
        """Takes the answer to our offer. Raises SourceError where it cannot be used."""
        if not codecs_of(parsed(answer)):
            raise SourceError("the answer has no video in VP8 or H.264")
        self._take_packets(answer)
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        except Exception as error:
            raise SourceError(f"the answer cannot be taken: {one_line(error)}") from error

    async def close(self) -> None:
        """Ends the connection, whatever state it is in."""
        self._connection.remove_all_listeners()
        for task in self._draining:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            try:
                async with asyncio.timeout(_CLOSE_S):
                    await self._connection.close()
            except Exception as error:  # noqa: BLE001 - half open connections fail in many ways; all of it is given up
                _log.debug("a connection is not closed in good form: %s", one_line(error))

    def _take_packets(self, answer: str) -> None:
        """Puts ourselves in the place of aiortc's jitter buffers: of the first video that is received, and all else."""
        codecs = codecs_of(parsed(answer))
        for transceiver in self._connection.getTransceivers():
            buffer: Assembler | Ignored = Ignored()
            if transceiver.kind == "video" and self.assembler is None:
                buffer = self.assembler = self._new_assembler(codecs)
            _replace_buffer(transceiver.receiver, buffer)
        if self.assembler is None:
            raise OfferError("unusable", "no video in the offer")

    def _track(self, track: MediaStreamTrack) -> None:
        self._draining.append(asyncio.ensure_future(self._drain(track)))

    async def _drain(self, track: MediaStreamTrack) -> None:
        """Nothing is to come of a track but its end."""
        try:
            while True:
                await track.recv()
        except MediaStreamError:
            if track.kind == "video":
                self._on_end("the other end has stopped its video")

    def _changed(self) -> None:
        match self._connection.connectionState:
            case "failed":
                self._on_end("the connection has failed")
            case "closed":
                self._on_end("the other end has closed the connection")
            case _:
                pass


def _replace_buffer(receiver: RTCRtpReceiver, buffer: Assembler | Ignored) -> None:
    if not hasattr(receiver, _BUFFER):
        raise OfferError("unavailable", "this version of aiortc is not the one expected: packets cannot be taken")
    setattr(receiver, _BUFFER, buffer)


def _servers(config: WebRtcConfig) -> list[RTCIceServer]:
    """Empty by default: with None aiortc asks a public server who we are."""
    return [
        RTCIceServer(
            urls=list(server.urls),
            username=server.username,
            credential=None if server.credential is None else server.credential.get_secret_value(),
        )
        for server in config.ice_servers
    ]
