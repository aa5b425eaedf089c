"""Clips to watch for long: one that makes the monitor decide something every few seconds, one that never does."""

from __future__ import annotations

from pathlib import Path

import av

from monitor.demo.clip import FPS, make_clip

_FACE_S, _NOBODY_S = 4, 2
_ROUNDS = 100


def flickering(path: Path) -> Path:
    """A manipulated face that is there for four seconds and gone for two: played in a loop, an alert each round."""
    face = path.with_suffix(".face.mp4")
    make_clip(face, seconds=_FACE_S, manipulated_from_s=0, names=["astronaut"])
    with av.open(face) as there, av.open(path, "w") as out:
        pictures = [frame.to_ndarray(format="rgb24") for frame in there.decode(video=0)]
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "superfast", "g": str(FPS)})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        nobody = [pictures[0] * 0 + 90] * (_NOBODY_S * FPS)
        for picture in pictures + nobody:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    return path


def genuine(path: Path) -> Path:
    """A face that is real, for many minutes."""
    short = path.with_suffix(".short.mp4")
    make_clip(short, seconds=_FACE_S, manipulated_from_s=_FACE_S + 1, names=["t1-2"])
    with av.open(short) as once, av.open(path, "w") as out:
        stream = once.streams.video[0]
        copy = out.add_stream_from_template(stream)
        packets = [packet for packet in once.demux(stream) if packet.pts is not None]
        assert stream.time_base is not None
        length = round(_FACE_S / stream.time_base)
        stamps = [(packet.pts, packet.dts) for packet in packets]
        for start in range(0, _ROUNDS * length, length):
            for packet, (pts, dts) in zip(packets, stamps, strict=True):
                assert pts is not None
                assert dts is not None
                packet.pts, packet.dts = start + pts, start + dts
                packet.stream = copy
                out.mux(packet)
                packet.time_base = stream.time_base  # muxing has changed it
    return path
