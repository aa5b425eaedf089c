"""How long it takes from the first manipulated picture that is shown until a subscriber of MQTT has the alert.

People call the service as it is run, over WebRTC (aiortc, VP8), and some seconds later their faces are replaced by
manipulated ones. Each picture bears a number, which is read again where faces are searched for: so it is known when the
picture was shown, when it arrived, when its crop was scored, when the alert was raised, and when a client of its own
had it from the broker. All of that is on this machine, with the demo encoder and the settings that decide by default;
every picture is searched at its own size, so that its number can be read.

Sampling is the time until a manipulated picture is shown of which a crop is taken; capture, from it being shown to its
arrival (encoding, network, jitter buffer, decoding); scoring, from there to its logit; deciding, from this first logit
to the alert, in which evidence must grow; publishing, from the alert to the subscriber, by way of the database.

Run: python -m benchmarks.end_to_end [--episodes 24] [--callers 4] [--real-s 8]
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import contextlib
import itertools
import queue
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
from aiortc.mediastreams import VideoStreamTrack
from numpy.typing import NDArray

from benchmarks.alert_listener import Listener
from benchmarks.machine import described
from benchmarks.time_code import MOST, stamp
from monitor.demo.clip import FPS, make_clip
from tests.broker import Mosquitto
from tests.monitor.service import RunningService
from tests.waiting import wait_until
from tests.webrtc_client import SDP, Publisher

_CLIP_S = 12.0
_TOP_PX, _HEIGHT = 122, 360
"""Where the face is in the tall picture of the demo's call."""
_LEGIBLE = {"analysis_px": _HEIGHT, "search_every": 1}
"""Every picture is searched, at its own size, so that its number can be read there."""
_FORGOTTEN_S = 3.5
"""A face that comes back sooner is still the same."""
_ALERT_S = 90.0
_CLOCK = 90000

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Delay:
    """Of one episode, seconds."""

    sampling: float
    capture: float
    scoring: float
    deciding: float
    publishing: float

    @property
    def total(self) -> float:
        """From the first manipulated picture to the subscriber."""
        return self.sampling + self.capture + self.scoring + self.deciding + self.publishing


class Film(VideoStreamTrack):
    """A person, from some moment on with another face; each picture with a number.

    Args:
        real: pictures, yuv420p (3 h / 2, w), over and over.
        fake: the same manipulated.
        real_s: how long the first are shown.
        first: number of the first picture.
    """

    def __init__(self, real: list[Picture], fake: list[Picture], real_s: float, first: int) -> None:
        super().__init__()
        self._real, self._fake = real, fake
        self._count, self._first = 0, first
        self.fake_from = first + round(real_s * FPS)
        self.shown_s: dict[int, float] = {}
        self._began_s = 0.0

    async def recv(self) -> av.VideoFrame:
        """The next picture, when it is due."""
        self._began_s = self._began_s or time.monotonic()
        await asyncio.sleep(max(0.0, self._began_s + self._count / FPS - time.monotonic()))
        number = self._first + self._count
        pictures = self._fake if number >= self.fake_from else self._real
        picture = pictures[self._count % len(pictures)].copy()
        stamp(picture[:_HEIGHT], number)
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts, frame.time_base = self._count * _CLOCK // FPS, Fraction(1, _CLOCK)
        self._count += 1
        self.shown_s[number] = time.monotonic()
        return frame


@dataclass(frozen=True)
class Episode:
    """A call, and the alert on it; None where there was none in time."""

    film: Film
    alert: dict[str, Any] | None
    received_s: float


class Trace:
    """What the service wrote down."""

    def __init__(self, path: Path) -> None:
        codes: list[tuple[float, int]] = []
        self._logits: dict[str, list[tuple[float, float]]] = {}
        for line in path.read_text().splitlines():
            kind, *rest = line.split()
            if kind == "code":
                codes.append((float(rest[1]), int(rest[0])))
            else:
                self._logits.setdefault(rest[1], []).append((float(rest[2]), float(rest[3])))
        self._codes = sorted(codes)

    def delay(self, episode: Episode) -> Delay | None:
        """What the time went into; None where the alert came before the manipulation, or the pictures are not known."""
        film, alert = episode.film, episode.alert
        if alert is None:
            return None
        raised_s = _monotonic(alert["at"])
        switched_s = film.shown_s[film.fake_from]
        for arrived_s, scored_s in sorted(self._logits.get(alert["track"], [])):
            number = self._number(arrived_s, film)
            if number is not None and number >= film.fake_from and scored_s <= raised_s + 0.002:
                shown_s = film.shown_s[number]
                return Delay(
                    shown_s - switched_s,
                    arrived_s - shown_s,
                    scored_s - arrived_s,
                    raised_s - scored_s,
                    episode.received_s - raised_s,
                )
        return None

    def _number(self, arrived_s: float, film: Film) -> int | None:
        """Of the picture that arrived then: the first of the film that was searched afterwards, if it fits."""
        for searched_s, number in itertools.islice(self._codes, bisect.bisect_left(self._codes, (arrived_s, 0)), None):
            if searched_s > arrived_s + 1.0:
                return None
            if (shown_s := film.shown_s.get(number)) is not None:
                return number if shown_s <= arrived_s else None
        return None


def _monotonic(at: str) -> float:
    return datetime.fromisoformat(at).timestamp() - (time.time() - time.monotonic())


def main() -> None:
    """Prints how the time is distributed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=24)
    parser.add_argument("--callers", type=int, default=4, help="at the same time")
    parser.add_argument("--real-s", type=float, default=8.0, help="before the manipulation, give or take a second")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        episodes = _episodes(folder, options.episodes, options.callers, options.real_s)
        trace = Trace(folder / "trace")
    delays = [delay for episode in episodes if (delay := trace.delay(episode)) is not None]
    missed = sum(episode.alert is None for episode in episodes)
    if delays:
        _print(delays)
    print(
        f"\n{len(delays)} of {len(episodes)} episodes, {options.callers} at a time; {missed} without an alert within "
        f"{_ALERT_S:g} s, {len(episodes) - len(delays) - missed} with one before a manipulated face was scored"
    )
    print(described("aiortc", "av", "openvino", "torch"))


def _print(delays: list[Delay]) -> None:
    parts = [field.name for field in fields(Delay)]
    print("| part | median, s | p95, s | longest, s | share of the mean |\n|---|---|---|---|---|")
    mean = float(np.mean([delay.total for delay in delays]))
    for part in (*parts, "total"):
        seconds = np.array([getattr(delay, part) for delay in delays])
        median, p95 = np.percentile(seconds, [50, 95])
        print(f"| {part} | {median:.3f} | {p95:.3f} | {seconds.max():.3f} | {seconds.mean() / mean:.1%} |")


def _episodes(folder: Path, count: int, callers: int, real_s: float) -> list[Episode]:
    """Calls the service that often, and waits for an alert each time."""
    real, fake = (_pictures(folder, at_s) for at_s in (_CLIP_S + 1, 0.0))
    streams = [f"line-{number}" for number in range(callers)]
    jitter = random.Random(1)
    with contextlib.ExitStack() as stack:
        mqtt = "embedded:"
        if any(shutil.which("mosquitto", path=path) for path in (None, "/usr/sbin")):
            mqtt = stack.enter_context(Mosquitto(folder)).url
        config = {
            "streams": [{"name": stream, "url": "whip:"} for stream in streams],
            "mqtt": {"url": mqtt},
            "faces": _LEGIBLE,
            "decision": {},  # not as quick as that of tests
        }
        command = (sys.executable, "-m", "benchmarks.traced_service", str(folder / "trace"))
        service = stack.enter_context(RunningService(folder, config, command=command))
        listener = Listener(service.mqtt_port)
        stack.callback(listener.stop)
        # Pictures of all films have numbers of their own.
        firsts = itertools.count(0, MOST // (count + 1))
        films = [Film(real, fake, real_s + jitter.uniform(-1, 1), next(firsts)) for _ in range(count)]
        lines = [films[number::callers] for number in range(callers)]
        with ThreadPoolExecutor(callers) as pool:
            called = pool.map(lambda line: list(_calls(service, listener, *line)), zip(streams, lines, strict=True))
            return [episode for line in called for episode in line]


def _calls(service: RunningService, listener: Listener, stream: str, films: list[Film]) -> Iterator[Episode]:
    url = f"{service.web_url}/whip/{stream}"
    raised = listener.raised(stream)
    for film in films:
        wait_until(lambda: httpx.post(url, content="x", headers=SDP).status_code == 400)  # and not 503: it takes offers
        with Publisher(film=film) as publisher:
            taken = publisher.publish(url)
            if taken.status_code != 201:
                raise RuntimeError(f"{stream}: not taken: {taken.status_code} {taken.text}")
            try:
                received_s, alert = raised.get(timeout=_ALERT_S)
            except queue.Empty:
                received_s, alert = 0.0, None
            print(".", end="", file=sys.stderr, flush=True)
            if publisher.session is not None:
                httpx.delete(publisher.session)
        yield Episode(film, alert, received_s)
        time.sleep(_FORGOTTEN_S)


def _pictures(folder: Path, manipulated_from_s: float) -> list[Picture]:
    """One person's, yuv420p."""
    path = folder / "person.mp4"
    make_clip(path, seconds=_CLIP_S, manipulated_from_s=manipulated_from_s, names=["astronaut"])
    pictures = []
    with av.open(str(path)) as source:
        for frame in source.decode(video=0):
            middle = frame.to_ndarray(format="rgb24", threads=1)[_TOP_PX : _TOP_PX + _HEIGHT]
            cut = av.VideoFrame.from_ndarray(np.ascontiguousarray(middle, dtype=np.uint8), format="rgb24")
            pictures.append(cut.to_ndarray(format="yuv420p", threads=1).astype(np.uint8, copy=False))
    path.unlink()
    return pictures


if __name__ == "__main__":
    main()
