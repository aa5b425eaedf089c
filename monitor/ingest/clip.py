"""Packets from a ring into a file that any player opens, without decoding or encoding anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from monitor.errors import SourceError
from monitor.ingest.ring import Cut

_MP4 = ("h264", "hevc", "av1", "mpeg4")
"""What browsers and players expect in MP4; all else goes into Matroska."""


def write_clip(cut: Cut, stem: Path) -> Path:
    """Writes a clip.

    Args:
        cut: what to write.
        stem: the file's path without its suffix.

    Returns:
        The file, MP4 or Matroska.

    Raises:
        SourceError: it cannot be written, or the stream does not fit into either; nothing is left.
    """
    failure: Exception | None = None
    for container in ("mp4", "matroska") if cut.codec in _MP4 else ("matroska",):
        path = stem.with_name(f"{stem.name}{'.mp4' if container == 'mp4' else '.mkv'}")
        try:
            _mux(cut, path, container)
        except (FFmpegError, OSError, ValueError) as error:
            path.unlink(missing_ok=True)
            failure = error
        else:
            return path
    reason = (isinstance(failure, OSError) and failure.strerror) or type(failure).__name__
    raise SourceError(f"the clip cannot be written: {reason}")


def _mux(cut: Cut, path: Path, container: str) -> None:
    output: Any  # PyAV's types know the streams of codecs that it encodes
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream_from_template(cut.template, opaque=True)
        times = _times(cut)
        start = times[0][0]
        for kept, (dts, pts) in zip(cut.packets, times, strict=True):
            packet = av.Packet(kept.payload)
            packet.dts, packet.pts = dts - start, pts - start
            packet.duration = kept.duration
            packet.time_base = cut.time_base
            packet.is_keyframe = kept.key
            packet.stream = stream
            output.mux_one(packet)


def _times(cut: Cut) -> list[tuple[int, int]]:
    """A dts and a pts for each packet, as muxers want them: each dts later than the one before, no pts before its dts.

    Cameras send others; and of RTSP's first pictures FFmpeg does not know the times, though of those that follow.
    """
    packets = cut.packets
    known = next((index for index, kept in enumerate(packets) if kept.dts is not None), None)
    times: list[tuple[int, int]] = []
    for index, kept in enumerate(packets):
        frame = kept.duration or 1
        before = times[-1][0] if times else None
        if known is None:  # a stream without times: as it arrived
            dts = round((kept.at_s - packets[0].at_s) / cut.time_base)
        elif kept.dts is not None:
            dts = kept.dts
        elif before is not None and index > known:
            dts = before + frame
        else:
            dts = (packets[known].dts or 0) - (known - index) * frame
        if before is not None:
            dts = max(dts, before + 1)
        times.append((dts, max(dts, dts if kept.pts is None or known is None else kept.pts)))
    if packets[0].pts is None and known is not None:  # the keyframe is shown before all others
        shown = min((pts for kept, (_, pts) in zip(packets, times, strict=True) if kept.pts is not None), default=None)
        if shown is not None:
            times[0] = times[0][0], max(times[0][0], shown - (packets[0].duration or 1))
    return times
