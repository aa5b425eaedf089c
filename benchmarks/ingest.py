"""What watching a stream costs, against decoding it at all.

Run: python -m benchmarks.ingest VIDEO [--only 720p25] [--seconds 15] (needs ffmpeg and YuNet)
     python -m benchmarks.ingest VIDEO --substream [--only 1080p25] [--seconds 15]

A format takes some four minutes.

VIDEO has faces in it. It is encoded anew in each format, and beside it a scene of the same size in which nothing
happens but a sensor's noise. Each way of watching is a process of its own, all of whose CPU time counts. The floor is
`ffmpeg -threads 1 -i CLIP -f null -`. The monitor's own worker plays the clips at their own pace, as if they came from
a camera; the other ways read them as fast as they can. With --substream, the monitor is compared with
itself where it finds faces on a 360p stream of the same camera (`detect_url`).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median

import av
import cv2
import numpy as np

from benchmarks.machine import described
from gend.faces import load_detector
from gend.fetch import fetch
from gend.preprocess import encoder_input
from monitor.capacity.processor_time import cpu_s, own_processes
from monitor.clock import LiveClock
from monitor.config import FacesConfig
from monitor.isolation import IsolatedWorker
from monitor.stream_config import StreamConfig
from monitor.worker import WorkerPlan, WorkerStatistics

_FPS, _ANALYSIS_FPS = 25, 5
_CLIP_S = 30
_ROOM_S = 45
"""At its end a recording is begun anew, and with it what is known of its keyframes: nothing is idle for a while."""
_REPORT_S = 2.0
"""For the worker's reports before and after."""
_READ_S = 8
"""Of a clip, by those who read it as fast as they can. The video is repeated within it, so all see the same."""
_LIVE_S = 30.0
_LIVE_START_S = 1.0
"""From a clip's first picture to the word of it."""
_WARM_S, _IDLE_WARM_S = 8.0, 14.0
_ROUNDS = 3
_THRESHOLD = 0.4
_SMALL_PX = 640
_SMALL_FORMAT, _SMALL_NAME = "360p25 H.264, no B-frames", "substream.mp4"


@dataclass(frozen=True)
class Format:
    """How a stream is encoded."""

    name: str
    height: int
    codec: str
    kbps: int
    b_frames: int = 0


_FORMATS = (
    Format("1080p25 H.264", 1080, "libx264", 5000, b_frames=3),
    Format("1080p25 H.264, no B-frames", 1080, "libx264", 5000),
    Format("1080p25 H.265", 1080, "libx265", 3000, b_frames=3),
    Format("720p25 H.264", 720, "libx264", 2500, b_frames=3),
    Format("720p25 H.264, no B-frames", 720, "libx264", 2500),
    Format("720p25 H.265", 720, "libx265", 1500, b_frames=3),
    Format("360p25 H.264", 360, "libx264", 800, b_frames=3),
    Format("360p25 H.264, no B-frames", 360, "libx264", 800),
    Format("360p25 H.265", 360, "libx265", 500, b_frames=3),
)


@dataclass(frozen=True)
class Cost:
    """Of one way."""

    ms: float
    """CPU milliseconds for a second of the stream."""
    stages: dict[str, float]
    """Parts of it."""
    note: str = ""


def main() -> None:
    """Prints the table, a line for each format as it is done."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("video", type=Path)
    arguments.add_argument("--only", default="", help="formats whose names begin so")
    arguments.add_argument("--seconds", type=float, default=15.0, help="for which the monitor watches each clip")
    arguments.add_argument("--rounds", type=int, default=_ROUNDS)
    arguments.add_argument("--substream", action="store_true", help="with a substream against without")
    arguments.add_argument("--way", choices=sorted(_WAYS), help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.way:
        print(json.dumps(asdict(_WAYS[given.way](given.video, given.seconds))))
        return
    if _duration_s(given.video) > _READ_S:
        arguments.error(f"{given.video}: longer than {_READ_S} s, so not all ways would see all of it")
    if max(_WARM_S - _CLIP_S, _IDLE_WARM_S - _ROOM_S) + _LIVE_START_S + given.seconds + _REPORT_S > 0:
        arguments.error("--seconds: so long the clips are not")
    if given.substream:
        _compare_substream(given.video, given.only or "1080p25", given.seconds, given.rounds)
        return
    headings = ("", "floor, ms/s", "OpenCV, full", "OpenCV, 640", "pipe, full", "monitor", "monitor, idle", "decoding")
    print(f"| {' | '.join((*headings, 'searching', 'the rest', 'ratios'))} |")
    print("|---" * (len(headings) + 3) + "|", flush=True)
    for each in _FORMATS:
        if each.name.startswith(given.only):
            with tempfile.TemporaryDirectory() as folder:
                clip, empty = _encoded(given.video, each, Path(folder))
                print(_line(each, clip, empty, given.seconds, given.rounds), flush=True)
    print()
    print("CPU milliseconds for a second of the stream; ratios: of the floor with a monitor that is active, and idle;")
    print("of OpenCV's cost on the full picture and the monitor's. Medians of rounds, each way in turn:", given.rounds)
    print(described("av", "opencv-python-headless", "openvino"))


def _compare_substream(video: Path, only: str, seconds: float, rounds: int) -> None:
    print("| main stream | floor, ms/s | monitor | with a 360p substream | its notes | ratios |")
    print("|---" * 6 + "|", flush=True)
    (small,) = (each for each in _FORMATS if each.name == _SMALL_FORMAT)
    for each in _FORMATS:
        if not each.name.startswith(only):
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            clip = _people(video, each, path / "people.mp4", key_s=1)
            _people(video, small, path / _SMALL_NAME, key_s=1)
            costs: dict[str, list[Cost]] = {"floor": [], "active": [], "substream": []}
            for _ in range(rounds):
                costs["floor"].append(_floor(clip))
                for way in ("active", "substream"):
                    costs[way].append(_apart(way, clip, seconds))
        floor, active, substream = (median(cost.ms for cost in of_way) for of_way in costs.values())
        ratios = f"{active / floor:.2f}, {substream / floor:.2f}"
        note = costs["substream"][-1].note
        print(f"| {each.name} | {floor:.0f} | {active:.0f} | {substream:.0f} | {note} | {ratios} |", flush=True)
    print()
    print("CPU milliseconds for a second of the camera, both its streams included; ratios: of the main stream's floor,")
    print("without and with. A keyframe a second. Medians of rounds that take each way in turn.")
    print(described("av", "opencv-python-headless", "openvino"))


def _line(each: Format, clip: Path, empty: Path, seconds: float, rounds: int) -> str:
    ways = ("opencv", "opencv640", "pipe", "active", "idle")
    costs: dict[str, list[Cost]] = {way: [] for way in (*ways, "floor", "empty floor")}
    for _ in range(rounds):
        costs["floor"].append(_floor(clip))
        costs["empty floor"].append(_floor(empty))
        for way in ways:
            costs[way].append(_apart(way, empty if way == "idle" else clip, seconds))
    ms = {way: median(cost.ms for cost in of_way) for way, of_way in costs.items()}
    stages = [median(cost.stages[stage] for cost in costs["active"]) for stage in ("decoding", "searching", "rest")]
    ratios = (
        f"{ms['active'] / ms['floor']:.2f}, {ms['idle'] / ms['empty floor']:.2f}; {ms['opencv'] / ms['active']:.1f}"
    )
    cells = [*(f"{ms[way]:.0f}" for way in ("floor", *ways)), *(f"{stage:.0f}" for stage in stages)]
    return f"| {each.name} | {' | '.join(cells)} | {ratios} |"


def _apart(way: str, clip: Path, seconds: float) -> Cost:
    command = [sys.executable, "-m", "benchmarks.ingest", str(clip), "--way", way, "--seconds", str(seconds)]
    # OpenCV and OpenVINO would take all cores for one stream, and wait for one another.
    environment = {**os.environ, "OPENCV_FFMPEG_CAPTURE_OPTIONS": "threads;1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{way}: {done.stderr}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


# --- clips ---


def _encoded(video: Path, each: Format, folder: Path) -> tuple[Path, Path]:
    """The video in a format, and a scene without people in it."""
    width = each.height * 16 // 9
    clip, empty, still = folder / "people.mp4", folder / "empty.mp4", folder / "room.png"
    _people(video, each, clip)
    cv2.imwrite(str(still), _room(width, each.height))
    room = ["-loop", "1", "-framerate", str(_FPS), "-i", str(still), "-t", str(_ROOM_S)]
    _ffmpeg([*room, "-vf", "noise=alls=4:allf=t", *_encoder(each), str(empty)])
    return clip, empty


def _people(video: Path, each: Format, clip: Path, *, key_s: int = 2) -> Path:
    """The video in a format, over and over."""
    width = each.height * 16 // 9
    shape = f"scale={width}:{each.height}:force_original_aspect_ratio=increase,crop={width}:{each.height},fps={_FPS}"
    looped = ["-stream_loop", "-1", "-i", str(video), "-t", str(_CLIP_S)]
    _ffmpeg([*looped, "-vf", f"{shape},noise=alls=4:allf=t", "-an", *_encoder(each, key_s), str(clip)])
    return clip


def _encoder(each: Format, key_s: int = 2) -> list[str]:
    encoder = [
        "-c:v",
        each.codec,
        "-preset",
        "veryfast",
        "-b:v",
        f"{each.kbps}k",
        "-maxrate",
        f"{each.kbps * 1.2:.0f}k",
    ]
    if key_s == 1:  # as cameras have it, and no others at cuts
        encoder += ["-sc_threshold", "0"]
    encoder += [
        "-bufsize",
        f"{2 * each.kbps}k",
        "-g",
        str(key_s * _FPS),
        "-bf",
        str(each.b_frames),
        "-pix_fmt",
        "yuv420p",
    ]
    if each.codec == "libx265":
        encoder += ["-x265-params", f"log-level=error:bframes={each.b_frames}:keyint={key_s * _FPS}"]
    return encoder


def _room(width: int, height: int) -> np.ndarray:
    """Walls, a floor and things on it: shapes and texture, and no face."""
    rng = np.random.default_rng(0)
    picture = np.full((height, width, 3), 150, np.float32)
    for step in (4, 16, 64):
        noise = rng.normal(0, 10, (height // step + 1, width // step + 1, 3)).astype(np.float32)
        picture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    picture[height * 2 // 3 :] *= 0.6
    return np.clip(picture, 0, 255).astype(np.uint8)


def _ffmpeg(arguments: Sequence[str]) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments], check=True)


def _duration_s(clip: Path) -> float:
    with av.open(str(clip)) as container:
        return (container.duration or 0) / av.time_base


# --- the ways ---


def _floor(clip: Path) -> Cost:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["ffmpeg", "-v", "error", "-threads", "1", "-i", str(clip), "-f", "null", "-"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(1000 * spent_s / _duration_s(clip), {})


def _yunet(width: int, height: int) -> cv2.FaceDetectorYN:
    return cv2.FaceDetectorYN.create(str(fetch("yunet")), "", (width, height), score_threshold=_THRESHOLD)


def _opencv(clip: Path, _: float, *, px: int | None = None) -> Cost:
    """`VideoCapture`, and YuNet by OpenCV's own runtime on every fifth picture."""
    cv2.setNumThreads(1)
    begun_s = time.process_time()
    capture = cv2.VideoCapture(str(clip))
    detector, faces = None, 0
    for number in range(_READ_S * _FPS):
        came, picture = capture.read()
        assert came, "the clip is too short"
        if number % (_FPS // _ANALYSIS_FPS):
            continue
        if px is not None and px < picture.shape[1]:
            picture = cv2.resize(picture, (px, px * 9 // 16), interpolation=cv2.INTER_AREA)
        detector = detector or _yunet(picture.shape[1], picture.shape[0])
        found = detector.detect(picture)[1]
        faces += 0 if found is None else len(found)
    return Cost(1000 * (time.process_time() - begun_s) / _READ_S, {}, f"{faces} faces")


def _pipe(clip: Path, _: float) -> Cost:
    """Ffmpeg writes five raw pictures a second into a pipe, and YuNet searches them."""
    cv2.setNumThreads(1)
    with av.open(str(clip)) as container:
        width, height = container.streams.video[0].width, container.streams.video[0].height
    before, begun_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.process_time()
    options = ["-t", str(_READ_S), "-vf", f"fps={_ANALYSIS_FPS}", "-f", "rawvideo", "-pix_fmt", "bgr24", "-"]
    command = ["ffmpeg", "-v", "error", "-threads", "1", "-i", str(clip), *options]
    detector = _yunet(width, height)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while len(raw := process.stdout.read(width * height * 3)) == width * height * 3:
            detector.detect(np.frombuffer(raw, np.uint8).reshape(height, width, 3))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent_s = time.process_time() - begun_s + after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(1000 * spent_s / _READ_S, {})


def _monitor(clip: Path, seconds: float, *, warm_s: float, small: str | None = None) -> Cost:
    """The service's worker in its own process: reading, decoding, finding, following and cutting out faces.

    What the service does with its messages counts as well.
    """
    detect_url = None if small is None else f"file:{clip.parent / small}"
    plan = WorkerPlan(
        StreamConfig.model_validate({"name": "clip", "url": f"file:{clip}", "detect_url": detect_url, "loop": True}),
        FacesConfig(analysis_fps=_ANALYSIS_FPS),
        partial(load_detector, "yunet", threshold=_THRESHOLD, warn=print),
        partial(encoder_input, input_px=224),
    )
    live = threading.Event()
    worker = IsolatedWorker(
        plan,
        new_prefix=lambda: "run",
        clock=LiveClock(),
        on_message=lambda _: None,
        on_status=lambda status: live.set() if status.state == "live" else None,
    )
    worker.start()
    if not live.wait(_LIVE_S):
        raise SystemExit(f"{clip}: no picture")
    time.sleep(warm_s)
    begun_s, before, at_first = _reported(worker)
    time.sleep(seconds)
    ended_s, after, at_last = _reported(worker)
    worker.ask_to_stop()
    worker.join(time.monotonic() + 10)
    lasted_s = ended_s - begun_s
    decoding_s = at_last.reader.whole_decode_s - at_first.reader.whole_decode_s
    searching_s = at_last.tracking.detect_s - at_first.tracking.detect_s
    parts = {"decoding": decoding_s, "searching": searching_s, "rest": after - before - decoding_s - searching_s}
    note = (
        f"{at_last.tracking.faces} faces; {at_last.tracking.analysed - at_first.tracking.analysed} looks, "
        f"{at_last.tracking.searched - at_first.tracking.searched} searches, "
        f"{at_last.tracking.sampled - at_first.tracking.sampled} crops, "
        f"{at_last.reader.frames - at_first.reader.frames} decoded, "
        f"{at_last.reader.skipped - at_first.reader.skipped} not"
    )
    ms = 1000 * (after - before) / lasted_s
    return Cost(ms, {part: 1000 * spent_s / lasted_s for part, spent_s in parts.items()}, note)


def _reported(worker: IsolatedWorker) -> tuple[float, float, WorkerStatistics]:
    """The time at which the worker reports next, what all processes have taken until then, and the report."""
    before, deadline_s = worker.statistics().cpu_s, time.monotonic() + _LIVE_S
    while (statistics := worker.statistics()).cpu_s == before:
        if time.monotonic() > deadline_s:
            raise SystemExit("the worker does not report")
        time.sleep(0.02)
    return time.monotonic(), cpu_s(own_processes()), statistics


_WAYS: dict[str, Callable[[Path, float], Cost]] = {
    "opencv": _opencv,
    "opencv640": partial(_opencv, px=_SMALL_PX),
    "pipe": _pipe,
    "active": partial(_monitor, warm_s=_WARM_S),
    "idle": partial(_monitor, warm_s=_IDLE_WARM_S),
    "substream": partial(_monitor, warm_s=_WARM_S, small=_SMALL_NAME),
}


if __name__ == "__main__":
    main()
