"""A clip as a camera sends it: 720p25 in H.264, people who move, and a sensor's noise everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np

from monitor.demo.clip import make_clip

SIZE, FPS, KBPS = (1280, 720), 25, 2500
PEOPLE = ("astronaut", "t1-1", "t1-2")
_NOISE, _STRENGTH = 8, 2.0


def make_camera_clip(path: Path, *, faces: int = 1, seconds: float = 12.0, b_frames: bool = False) -> Path:
    """Makes it, without a manipulation.

    Args:
        path: the MP4 file.
        faces: how many people are in it, up to three.
        seconds: its length; it is meant to be looped.
        b_frames: whether there are some, which many cameras do not send.

    Returns:
        The file.

    Raises:
        FetchError: the pictures of people cannot be had.
    """
    width, height = SIZE
    tiles = path.with_suffix(".tiles.mp4")
    make_clip(tiles, seconds=seconds, manipulated_from_s=seconds + 1, names=PEOPLE[:faces])
    rng = np.random.default_rng(2)
    noise = rng.normal(0, _STRENGTH, (_NOISE, height, width, 1)).astype(np.int16)
    ground = np.repeat(rng.integers(60, 180, (height // 8, width // 8, 3), dtype=np.uint8), 8, 0).repeat(8, 1)
    options = {"preset": "veryfast", "g": str(2 * FPS), "bf": "2" if b_frames else "0"}
    with av.open(str(tiles)) as source, av.open(str(path), "w") as target:
        stream: Any = target.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", KBPS * 1000
        rate = source.streams.video[0].average_rate
        assert rate is not None
        written = 0
        for number, frame in enumerate(source.decode(video=0)):
            picture = ground.copy()
            left = (width - frame.width) // 2
            picture[:, left : left + frame.width] = frame.to_ndarray(format="rgb24", threads=1)
            while written / FPS < (number + 1) / rate:
                noisy = np.clip(picture + noise[written % _NOISE], 0, 255).astype(np.uint8)
                target.mux(stream.encode(av.VideoFrame.from_ndarray(noisy, format="rgb24")))
                written += 1
        target.mux(stream.encode(None))
    tiles.unlink()
    return path
