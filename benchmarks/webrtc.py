"""How soon a publisher's first picture is analysed, and what a stream over WebRTC costs against the same over RTSP.

First pictures: aiortc publishes to a stream's worker on this machine, again and again; the time is from the offer's
arrival to the end of the face detector's first look, so with signalling, ICE, DTLS and decoding, without HTTP.

First verdicts: aiortc publishes a clip of one face by HTTP to the service as it runs, with the demo encoder and default
settings; the time is from the POST to what a subscriber of MQTT hears: the first word on the face, which says
`inconclusive`, and the first that says more.

CPU: one clip of 720p30, H.264 without B-frames, is sent over RTSP by GStreamer and over WebRTC by aiortc, neither of
which is counted, to a worker in a process of its own, whose CPU time is read. Its detector sees nothing, so the rest
is what both have in common: decoding, and five small pictures a second. VP8 is the same clip in another codec.

Run: python -m benchmarks.webrtc [--times 20] [--verdicts 6] [--seconds 20]
"""

from __future__ import annotations

import argparse
import itertools
import json
import queue
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import av
import httpx
import numpy as np
import psutil
from aiortc.contrib.media import MediaPlayer

from benchmarks.machine import described
from gend.faces import Face, FaceDetector, load_detector
from gend.preprocess import encoder_input
from monitor.answers import Answer
from monitor.clock import LiveClock
from monitor.config import FacesConfig
from monitor.demo.clip import make_clip
from monitor.ingest import SourceStatus
from monitor.isolation import IsolatedWorker
from monitor.messages import Leave, Offer, Pixels, Reply
from monitor.stream_config import StreamConfig
from monitor.worker import StreamWorker, WorkerPlan, track_ids
from tests.monitor.service import RunningService, Subscriber
from tests.rtsp_server import RtspServer
from tests.waiting import wait_until
from tests.webrtc_client import SDP, Publisher

_SIZE, _FPS, _KBPS = (1280, 720), 30, 2500
_WARM_S = 3.0
_WAIT_S = 60.0
_FORGOTTEN_S = 3.0
"""A face that comes back sooner is still the same."""
_PREPARE = partial(encoder_input, input_px=224)


class Blind:
    """A face detector that sees nothing, and so costs nothing."""

    name = "blind"
    degraded: str | None = None

    def detect(self, picture: Pixels) -> list[Face]:  # noqa: ARG002 - as detectors are called
        """No faces."""
        return []


class Timed:
    """A face detector that notes when it was done."""

    def __init__(self, detector: FaceDetector) -> None:
        self.name, self.degraded = detector.name, detector.degraded
        self.done: queue.SimpleQueue[float] = queue.SimpleQueue()
        self._detector = detector

    def detect(self, picture: Pixels) -> list[Face]:
        """As the detector."""
        faces = self._detector.detect(picture)
        self.done.put(time.monotonic())
        return faces


def first_pictures(times: int) -> list[float]:
    """Seconds from an offer to the first look at a picture, each with a publisher of its own."""
    detector = Timed(load_detector("auto", warn=print))
    detector.detect(np.zeros((*_SIZE[::-1], 3), np.uint8))
    stream = StreamConfig.model_validate({"name": "call", "url": "whip:"})
    plan = WorkerPlan(stream, FacesConfig(), lambda: detector, _PREPARE)
    replies: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    worker = StreamWorker(
        stream,
        plan.tracking(track_ids("run")),
        LiveClock(),
        on_message=lambda _: None,
        on_status=lambda _: None,
        on_answer=replies.put,
    )
    worker.start()
    took = []
    for number in range(times):
        while not detector.done.empty():
            detector.done.get()
        with Publisher() as publisher:
            publisher.film.size = _SIZE
            began_s = time.monotonic()
            worker.ask(Offer("call", number, str(number), publisher.offer))
            publisher.accept(_sdp(replies.get(timeout=_WAIT_S)))
            took.append(detector.done.get(timeout=_WAIT_S) - began_s)
            worker.ask(Leave("call", number, str(number)))
            replies.get(timeout=_WAIT_S)
    worker.ask_to_stop()
    worker.join(time.monotonic() + _WAIT_S)
    return took


def first_verdicts(times: int) -> tuple[list[float], list[float]]:
    """Seconds from the POST of an offer to the first word on the face, and to the first that is not `inconclusive`."""
    words, verdicts = [], []
    known: set[str] = set()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = [folder / "real.mp4", folder / "fake.mp4"]
        make_clip(clips[0], seconds=40, manipulated_from_s=99, names=["astronaut"])
        make_clip(clips[1], seconds=40, manipulated_from_s=0, names=["astronaut"])
        config = {"streams": [{"name": "call", "url": "whip:"}], "mqtt": {"url": "embedded:"}, "decision": {}}
        with RunningService(folder, config) as service:
            for _, clip in zip(range(times), itertools.cycle(clips), strict=False):
                word_s, verdict_s = _first_verdict(service, clip, known)
                words.append(word_s)
                verdicts.append(verdict_s)
    return sorted(words), sorted(verdicts)


def _first_verdict(service: RunningService, clip: Path, known: set[str]) -> tuple[float, float]:
    time.sleep(_FORGOTTEN_S)
    url = f"{service.web_url}/whip/call"
    wait_until(lambda: httpx.post(url, content="x", headers=SDP).status_code == 400)  # and not 503: it takes offers
    with Subscriber(service.mqtt_port, "gend/streams/call/tracks/#") as subscriber:
        wait_until(lambda: subscriber.connected)
        with Publisher(film=MediaPlayer(str(clip)).video) as publisher:
            began_s, word_s = time.monotonic(), None
            if publisher.publish(url).status_code != 201:
                raise RuntimeError("not taken")
            while True:
                told = json.loads(subscriber.messages.get(timeout=_WAIT_S)[1])
                if told["track"] in known:  # the last word on a face of the publisher before
                    continue
                word_s = word_s or time.monotonic() - began_s
                if told["state"] != "inconclusive":
                    known.add(told["track"])
                    verdict_s = time.monotonic() - began_s
                    break
            if publisher.session is not None:
                httpx.delete(publisher.session)
    return word_s, verdict_s


@contextmanager
def watched(url: str, publisher: Publisher | None = None) -> Iterator[psutil.Process]:
    """A worker's process that receives pictures."""
    stream = StreamConfig.model_validate({"name": "call", "url": url})
    numbers = itertools.count(1)
    statuses: list[SourceStatus] = []
    replies: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    worker = IsolatedWorker(
        WorkerPlan(stream, FacesConfig(), Blind, _PREPARE),
        new_prefix=lambda: f"run-{next(numbers)}",
        clock=LiveClock(),
        on_message=lambda _: None,
        on_status=statuses.append,
        on_answer=replies.put,
    )
    worker.start()
    try:
        pid = wait_until(lambda: worker.pid)
        if publisher is not None:
            wait_until(lambda: statuses)
            worker.ask(Offer("call", 1, "one", publisher.offer))
            publisher.accept(_sdp(replies.get(timeout=_WAIT_S)))
        wait_until(lambda: statuses and statuses[-1].state == "live")
        time.sleep(_WARM_S)
        before = worker.statistics().reader.frames
        yield psutil.Process(pid)
        if worker.statistics().reader.frames <= before:
            raise RuntimeError(f"nothing came from {url}")
    finally:
        worker.ask_to_stop()
        worker.join(time.monotonic() + _WAIT_S)


def cpu(process: psutil.Process, seconds: float) -> float:
    """Milliseconds of CPU time per second."""
    began, before = time.monotonic(), sum(process.cpu_times()[:2])
    time.sleep(seconds)
    return 1000 * (sum(process.cpu_times()[:2]) - before) / (time.monotonic() - began)


def make_clips(folder: Path, seconds: float) -> tuple[Path, Path, Path]:
    """The same moving picture as MP4 and transport stream (H.264), and as WebM (VP8)."""
    mp4, ts, webm = folder / "clip.mp4", folder / "clip.ts", folder / "clip.webm"
    noise = np.random.default_rng(1).integers(0, 40, (_SIZE[1], 2 * _SIZE[0], 3), np.uint8)
    with av.open(ts, "w") as one, av.open(webm, "w") as two:
        h264 = one.add_stream("libx264", rate=_FPS, options={"preset": "veryfast", "tune": "zerolatency", "bf": "0"})
        vp8 = two.add_stream("libvpx", rate=_FPS, options={"deadline": "realtime", "cpu-used": "8"})
        for stream in (h264, vp8):
            stream.width, stream.height, stream.pix_fmt = *_SIZE, "yuv420p"
            stream.bit_rate, stream.gop_size = _KBPS * 1000, 2 * _FPS
        for number in range(round(seconds * _FPS)):
            left = number * 4 % _SIZE[0]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(noise[:, left : left + _SIZE[0]]) + 90, "rgb24")
            one.mux(h264.encode(frame))
            two.mux(vp8.encode(frame))
        one.mux(h264.encode(None))
        two.mux(vp8.encode(None))
    with av.open(ts) as read, av.open(mp4, "w") as written:
        copied = written.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(video=0):
            if packet.dts is not None:
                packet.stream = copied
                written.mux(packet)
    return mp4, ts, webm


def compare(seconds: float) -> dict[str, float]:
    """CPU of each way, milliseconds per second."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        mp4, ts, webm = make_clips(Path(name), seconds + 4 * _WARM_S)
        with RtspServer({"clip": mp4}) as server, watched(server.url("clip")) as process:
            found["RTSP, H.264"] = cpu(process, seconds)
        for way, codec, clip in (("WebRTC, H.264", "H264", ts), ("WebRTC, VP8", "VP8", webm)):
            player = MediaPlayer(str(clip), decode=False)
            with Publisher(codec, film=player.video) as publisher, watched("whip:", publisher) as process:
                found[way] = cpu(process, seconds)
    return found


def _sdp(answer: Answer) -> str:
    if not isinstance(answer, Reply) or answer.sdp is None:
        raise RuntimeError(f"not taken: {answer}")
    return answer.sdp


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="publishers, one after the other")
    parser.add_argument("--verdicts", type=int, default=6, help="publishers that are waited for until a verdict")
    parser.add_argument("--seconds", type=float, default=20, help="for which CPU time is read")
    options = parser.parse_args()
    took = sorted(first_pictures(options.times))
    print("| offer to first picture analysed | s |\n|---|---|")
    print(f"| median of {len(took)} | {statistics.median(took):.2f} |\n| longest | {took[-1]:.2f} |\n")
    words, verdicts = first_verdicts(options.verdicts)
    print("| publishing to, at a subscriber | median, s | longest, s |\n|---|---|---|")
    print(f"| the first word on a face | {statistics.median(words):.1f} | {words[-1]:.1f} |")
    print(f"| the first verdict | {statistics.median(verdicts):.1f} | {verdicts[-1]:.1f} |\n")
    found = compare(options.seconds)
    print("| 720p30, 2.5 Mb/s | CPU, ms per s | times RTSP |\n|---|---|---|")
    for way, cost in found.items():
        print(f"| {way} | {cost:.0f} | {cost / found['RTSP, H.264']:.2f} |")
    print(f"\n{described('aiortc', 'av')}")


if __name__ == "__main__":
    main()
