"""RTP packets that never arrived: FFmpeg counts them, and tells its log alone.

Decoders are no help with H.265: FFmpeg's (8.1) makes a picture of whatever is left of one, and finds nothing wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import av

_MISSED = "RTP: missed"
"""How libavformat/rtpdec.c begins the line, a warning."""


def with_losses(packets: Iterator[av.Packet[Any]]) -> Iterator[tuple[av.Packet[Any], bool]]:
    """Yields each packet, and whether something went missing on the way that it, or one after it, was made of.

    Lines belong to a stream by the thread in which FFmpeg says them, which is the one that asks for the packet.

    Args:
        packets: as a container of RTP demultiplexes them.
    """
    _have_ffmpeg_speak()
    while True:
        with av.logging.Capture() as lines:
            packet = next(packets, None)
        if packet is None:
            return
        yield packet, any(text.startswith(_MISSED) for _, _, text in lines)


def _have_ffmpeg_speak() -> None:
    """Turns FFmpeg's log on, and keeps what nobody captures out of ours: it quotes addresses, and repeats itself."""
    if av.logging.get_level() is not None:
        return  # it was, here or by someone who wants to read it
    logging.getLogger("libav").setLevel(logging.CRITICAL + 1)
    # Or of two streams that say the same, only the first would be heard.
    av.logging.set_skip_repeated(False)
    av.logging.set_level(av.logging.WARNING)
