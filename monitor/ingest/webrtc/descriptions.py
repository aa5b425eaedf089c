"""Session descriptions of strangers: looked over before aiortc reads them, and answers before they go out."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable

from aiortc.sdp import SessionDescription

from monitor.errors import SourceError
from monitor.ingest.webrtc.assembly import Codec
from monitor.messages import Refusal
from monitor.reach import refusal
from monitor.reach_config import ReachConfig

_MOST_BYTES = 64 * 1024
_MOST_MEDIA = 8
_MOST_CANDIDATES = 64
"""Of an offer: each is an address that is sent packets to."""
_CODECS: dict[str, Codec] = {"vp8": "vp8", "h264": "h264"}


class OfferError(SourceError):
    """An offer cannot be taken; the message says why, in one line."""

    def __init__(self, refusal: Refusal, reason: str) -> None:
        super().__init__(reason)
        self.refusal: Refusal = refusal


def vetted(sdp: str) -> str:
    """An offer in the form in which aiortc gets it.

    Left out are candidates by mDNS names, for each of which the answer would wait a second, though whoever sends
    them finds us by our own; and the word that there are no more candidates, by which those that turn up during the
    checks would be too late.

    Raises:
        OfferError: it is no description, or holds no video that can be received.
    """
    if len(sdp) > _MOST_BYTES:
        raise OfferError("malformed", "the session description is too large")
    lines = [line for line in re.split(r"\r\n|\n|\r", sdp) if line]
    if not lines or lines[0] != "v=0":
        raise OfferError("malformed", "not a session description: it does not begin with v=0")
    media = [line for line in lines if line.startswith("m=")]
    if len(media) > _MOST_MEDIA or sum(line.startswith("a=candidate:") for line in lines) > _MOST_CANDIDATES:
        raise OfferError("malformed", f"more than {_MOST_MEDIA} media or {_MOST_CANDIDATES} candidates")
    kinds = {line[2:].split(" ", 1)[0] for line in media}
    if not kinds <= {"audio", "video"}:
        raise OfferError("unusable", "only audio and video can be published")
    if "video" not in kinds:
        raise OfferError("unusable", "no video in the offer")
    if not any(_sends(part) for part in re.split(r"^m=", sdp, flags=re.MULTILINE)[1:] if part.startswith("video ")):
        raise OfferError("unusable", "no video in the offer is sent: it is recvonly or inactive")
    kept = [line for line in lines if not _left_out(line)]
    text = "\r\n".join(kept) + "\r\n"
    description = parsed(text)
    if any(media.dtls is None or not media.dtls.fingerprints for media in description.media):
        raise OfferError("malformed", "a medium without a DTLS fingerprint: whoever sends could be anybody")
    _check_codecs(description)
    return text


def parsed(sdp: str) -> SessionDescription:
    """The description as aiortc reads it. Raises OfferError where it cannot."""
    try:
        return SessionDescription.parse(sdp)
    except Exception as error:
        # aiortc's parser asserts, looks up and converts: what it raises depends on where the text is broken.
        raise OfferError("malformed", f"the session description cannot be read ({type(error).__name__})") from error


def codecs_of(description: SessionDescription) -> dict[int, Codec]:
    """What each payload type of the videos that we take carries."""
    return {
        codec.payloadType: _CODECS[codec.name.lower()]
        for media in description.media
        if media.kind == "video"
        for codec in media.rtp.codecs
        if codec.name.lower() in _CODECS and codec.payloadType is not None
    }


def with_addresses(sdp: str, addresses: Iterable[str]) -> str:
    """A description that also names addresses at which a router forwards this machine's ports.

    Args:
        sdp: ours, with its candidates.
        addresses: to be told besides those of the machine; each stands beside a candidate of its family.
    """
    announced = [ipaddress.ip_address(address) for address in addresses]
    lines: list[str] = []
    for line in sdp.splitlines():
        lines.append(line)
        parts = line.split(" ")
        if not line.startswith("a=candidate:") or "host" not in parts[7:8] or parts[2].lower() != "udp":
            continue
        own = ipaddress.ip_address(parts[4])
        for index, address in enumerate(announced):
            if address.version == own.version:
                # A priority of its own below the machine's: in the same network the direct way is shorter.
                priority = str(max(1, int(parts[3]) - (1 << 16) * (index + 1)))
                lines.append(" ".join([f"{parts[0]}n{index}", *parts[1:3], priority, str(address), *parts[5:]]))
    return "\r\n".join(lines) + "\r\n"


def leading_within(answer: str, within: ReachConfig, also: Collection[str]) -> str:
    """An answer without the candidates by which a server would have us send packets elsewhere.

    Args:
        answer: of the server of an added stream.
        within: where that may lead.
        also: the addresses of the server itself, which are checked already.
    """
    kept = [
        line
        for line in answer.splitlines()  # as aiortc cuts it
        if not line.startswith("a=candidate:") or _leads_within(line.split(), within, also)
    ]
    return "\r\n".join(kept) + "\r\n"


def _leads_within(candidate: list[str], within: ReachConfig, also: Collection[str]) -> bool:
    try:
        address = ipaddress.ip_address(candidate[4])
    except (IndexError, ValueError):  # a name by mDNS, too: nobody has checked where that leads
        return False
    return str(address) in also or refusal(address, within) is None


def _sends(media: str) -> bool:
    return not re.search(r"^a=(recvonly|inactive)\s*$", media, flags=re.MULTILINE)


def _left_out(line: str) -> bool:
    if line.startswith("a=end-of-candidates"):
        return True
    if not line.startswith("a=candidate:"):
        return False
    parts = line.split(" ")
    try:
        ipaddress.ip_address(parts[4])
    except (IndexError, ValueError):
        return True
    return parts[2].lower() != "udp"


def _check_codecs(description: SessionDescription) -> None:
    if codecs_of(description):
        return
    offered = sorted(
        {codec.name for media in description.media if media.kind == "video" for codec in media.rtp.codecs}
        - {"rtx", "red", "ulpfec", "flexfec-03"}
    )
    named = ", ".join(offered)[:100] or "nothing"
    raise OfferError("unusable", f"no video that can be decoded: offered is {named}; VP8 or H.264 is needed")
