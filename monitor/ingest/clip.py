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
        first = next((kept.dts for kept in cut.packets if kept.dts is not None), None)
        last: int | None = None
        for kept in cut.packets:
            packet = av.Packet(kept.payload)
            dts = kept.dts if kept.dts is not None else kept.pts
            if first is None or dts is None:  # a stream without times: as it arrived
                dts = pts = round((kept.at_s - cut.packets[0].at_s) / cut.time_base)
            else:
                dts, pts = dts - first, (dts if kept.pts is None else kept.pts) - first
            # Muxers refuse times that do not grow; cameras send such.
            packet.dts = last = dts if last is None else max(dts, last + 1)
            packet.pts = max(pts, packet.dts)
            packet.duration = kept.duration
            packet.time_base = cut.time_base
            packet.is_keyframe = kept.key
            packet.stream = stream
            output.mux_one(packet)
