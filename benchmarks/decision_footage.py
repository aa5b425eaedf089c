"""Logits of the bundled demo encoder over calls of real people and the same manipulated, for `decision_clips.py`.

Photographs and short clips are made into calls, as the demo's clip is: they move slowly, the light changes, a sensor's
noise is added, and H.264 encodes them more or less coarsely. Each call goes through the monitor's own steps (face
detector, gate, sampler, alignment, scoring), and each crop is scored as it is and manipulated. The manipulation comes
after the codec, so its marks are fresher than those of a fake that was sent. Numbers are kept, no picture.

Run: python -m benchmarks.decision_footage FOLDER, a quarter of an hour on one core. FOLDER has `faces/` (the test
pictures of serengil/deepface, the longer side 640 px) and `media/` (previews of intel-iot-devkit/sample-videos).
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.decision_logits import CACHE, Call, Logits
from benchmarks.machine import described
from gend.data.lowres import LowResolution, face_width, remake_low_resolution
from gend.data.portraits import PORTRAITS
from gend.data.sample import aligned_landmarks
from gend.data.selfblend import SelfBlend, self_blend
from gend.faces import Face, FaceDetector
from gend.media import picture_at
from monitor.config import MonitorConfig
from monitor.messages import BLOCK_S, Crop, Pixels
from monitor.parts import load_parts
from monitor.recorded import Recording
from monitor.steps import Parts, score_all

SECONDS, FPS, WIDTH, HEIGHT = 48, 8, 384, 384
_LEAST_CALLS = 3
"""Of each person: whoever is on one photograph is called that often with it."""
_CRFS = (20, 26, 32, 38)
_LARGEST = 1.2
"""A face is enlarged no more than this, else it would look re-made."""
_NARROWEST_PX, _WIDEST_PX = 96.0, 170.0
_LEAST_CONFIDENCE = 0.5
"""Of a neighbour that is to be cut away."""

PHOTOGRAPHED: tuple[tuple[str, ...], ...] = (
    (
        *("img1", "img2", "img4", "img5", "img6", "img7", "img10", "img11", "img11_reflection", "target"),
        *("couple:185,256", "selfie-many-people:149,364"),
    ),
    ("img3", "img12", "img53", "img54", "img55", "img56"),
    ("img8", "img9", "img47", "img48", "img49", "img50", "img51"),
    ("img13", "img14", "img15", "img57", "img58"),
    ("img16", "img17", "img59", "img61", "img62"),
    ("img18", "img19", "img67"),
    ("img20", "img21"),
    ("img22", "img23"),
    ("img24", "img25"),
    ("img26", "img27", "img28", "img42", "img43", "img44", "img45", "img46"),
    ("img29", "img30", "img31", "img32", "img33"),
    ("img34", "img35", "img36", "img37"),
    ("img38", "img39", "img40", "img41"),
    ("couple:476,196", "selfie-many-people:421,202"),
    ("selfie-many-people:258,192",),
    ("selfie-many-people:556,422",),
)
"""Photographs that may be of one person stand together: by the collection's own list of pairs (`master.csv`), and by
eye where it says nothing, in doubt together. After the colon: the middle of the face, where it is not the surest."""
FILMED: tuple[tuple[str, ...], ...] = (
    ("head-pose-face-detection-female", "head-pose-face-detection-female-and-male:0,400"),
    ("head-pose-face-detection-male", "head-pose-face-detection-female-and-male:480,960"),
)
"""The same for clips. After the colon: from where to where the picture is shown. The fourth clip has no face as wide as
the gate asks for."""


@dataclass(frozen=True, slots=True)
class Source:
    """A person to be called."""

    person: int
    pictures: list[Pixels]
    """One, or those of a clip, which are played to and fro."""
    centre: tuple[float, float]
    """Of the face, pixels."""
    width_px: float
    """Of the face."""


@dataclass(frozen=True, slots=True)
class Camera:
    """How a call is filmed and sent."""

    face_px: float
    """Width at which the face is shown."""
    pan_px: tuple[float, float]
    pan_s: tuple[float, float]
    """How far the face moves across and down, and how long it takes."""
    zoom: float
    zoom_s: float
    tilt_deg: float
    light: float
    light_s: float
    """By which part the light rises and falls, and how long it takes."""
    tint: tuple[float, float, float]
    """Of the three channels, about 1."""
    grain: float
    """Deviation of the sensor's noise, grey levels."""
    crf: int

    @classmethod
    def draw(cls, rng: np.random.Generator, width_px: float) -> Camera:
        """One at random, for a face that is so wide in its picture."""
        widest = min(_WIDEST_PX, _LARGEST * width_px)
        red, blue = rng.uniform(0.92, 1.08, 2)
        return cls(
            face_px=rng.uniform(min(_NARROWEST_PX * 1.1, widest), widest),
            pan_px=(rng.uniform(4, 35), rng.uniform(2, 20)),
            pan_s=(rng.uniform(6, 30), rng.uniform(5, 25)),
            zoom=rng.uniform(0.01, 0.1),
            zoom_s=rng.uniform(4, 40),
            tilt_deg=rng.uniform(0.5, 6),
            light=rng.uniform(0.02, 0.25),
            light_s=rng.uniform(10, 60),
            tint=(red, 1.0, blue),
            grain=rng.uniform(0.5, 4),
            crf=int(rng.choice(_CRFS)),
        )


def main() -> None:
    """Makes the cache again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=CACHE)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    config = MonitorConfig.model_validate(
        {"streams": [{"name": "call", "url": "file:call.mp4"}], "encoder": {"weights": "demo"}}
    )
    parts = load_parts(config)
    rng = np.random.default_rng(0)
    calls = []
    for source in sources(options.folder, parts.new_face_detector()):
        call = called(source, config, parts, rng)
        calls.append(call)
        print(f"person {call.person}: {len(call.second)} s scored, median logit {np.median(call.real):.2f}", flush=True)
    engine = f"{parts.model.engine} {parts.model.precision}, {parts.face_detector}"
    made = described("numpy", "opencv-python-headless", "openvino", "av")
    Logits(parts.model.sha256, f"{engine}; {made}", tuple(call for call in calls if len(call.second))).write(
        options.out
    )


def sources(folder: Path, faces: FaceDetector) -> Iterator[Source]:
    """Each person, as often as there are photographs or clips, and at least three times."""
    of: dict[int, list[Source]] = defaultdict(list)
    for person, names in enumerate(PHOTOGRAPHED):
        for name in names:
            stem, _, middle = name.partition(":")
            picture = picture_at(folder / "faces" / f"{stem}.jpg")
            found = list(faces.detect(picture))
            at = [float(value) for value in middle.split(",")] if middle else None
            face = min(found, key=lambda each: -each.confidence if at is None else np.hypot(*(_middle(each) - at)))
            if _LARGEST * _width(face) >= _NARROWEST_PX:
                of[person].append(_cut_out(person, [picture], face, found))
    people = len(PHOTOGRAPHED)
    for person, names in enumerate(FILMED, people):
        for name in names:
            stem, _, part = name.partition(":")
            left, right = (int(value) for value in part.split(",")) if part else (0, None)
            pictures = [
                np.ascontiguousarray(each[:, left:right]) for each in _pictures(folder / "media" / f"{stem}.mp4")
            ]
            face = max(faces.detect(pictures[0]), key=lambda each: each.confidence)
            of[person].append(_cut_out(person, pictures, face, [face]))
    people += len(FILMED)
    for person, portrait in enumerate((each for each in PORTRAITS if each.held_out), people):
        picture, landmarks = portrait.load()
        x, y = landmarks.mean(axis=0)
        of[person].append(Source(person, [picture], (float(x), float(y)), face_width(landmarks)))
    for those in of.values():
        for number in range(max(_LEAST_CALLS, len(those))):
            yield those[number % len(those)]


def called(source: Source, config: MonitorConfig, parts: Parts, rng: np.random.Generator) -> Call:
    """One call, through the steps of the monitor, and the same with the face manipulated, each in one way."""
    camera = Camera.draw(rng, source.width_px)
    low, blend = LowResolution.draw(rng), SelfBlend.draw(rng)
    crops: dict[str, list[Crop]] = defaultdict(list)
    real: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "call.mp4"
        _film(path, source, camera, rng)
        for seen in Recording(path, config, parts, stream="call").frames():
            for crop, logit in zip(seen.crops, seen.logits, strict=True):
                crops[crop.track].append(crop)
                real[crop.track].append(logit.logit)
    track = max(crops, key=lambda each: len(crops[each]), default="")
    chosen = crops[track]

    def scored(manipulated: Sequence[Pixels]) -> NDArray[np.float64]:
        those = [replace(crop, pixels=pixels) for crop, pixels in zip(chosen, manipulated, strict=True)]
        return np.array([logit.logit for logit in score_all(those, parts, config.encoder.max_batch)])

    landmarks = aligned_landmarks(parts.encoder.input_px)
    return Call(
        source.person,
        np.array([int(crop.at_s // BLOCK_S) for crop in chosen], dtype=np.int64),
        np.array([crop.quality for crop in chosen]),
        np.array(real[track]),
        scored([remake_low_resolution(crop.pixels, landmarks, low) for crop in chosen]),
        scored([self_blend(crop.pixels, landmarks, blend)[0] for crop in chosen]),
        scored([self_blend(crop.pixels, landmarks, SelfBlend.draw(rng))[0] for crop in chosen]),
    )


def _cut_out(person: int, pictures: list[Pixels], face: Face, found: Sequence[Face]) -> Source:
    """The part of the pictures in which no other face is."""
    height, width = pictures[0].shape[:2]
    x0, y0, x1, y1 = 0.0, 0.0, float(width), float(height)
    mine, middle = face.box, _middle(face)
    for other in found:
        away = _middle(other) - middle
        if other is face or other.confidence < _LEAST_CONFIDENCE:
            continue
        theirs = other.box
        if abs(away[0]) >= abs(away[1]):
            between = (mine[2] + theirs[0]) / 2 if away[0] > 0 else (mine[0] + theirs[2]) / 2
            x0, x1 = (x0, min(x1, between)) if away[0] > 0 else (max(x0, between), x1)
        else:
            between = (mine[3] + theirs[1]) / 2 if away[1] > 0 else (mine[1] + theirs[3]) / 2
            y0, y1 = (y0, min(y1, between)) if away[1] > 0 else (max(y0, between), y1)
    left, top, right, bottom = round(x0), round(y0), round(x1), round(y1)
    regions = [np.ascontiguousarray(each[top:bottom, left:right]) for each in pictures]
    return Source(person, regions, (float(middle[0]) - left, float(middle[1]) - top), _width(face))


def _middle(face: Face) -> NDArray[np.float64]:
    x0, y0, x1, y1 = face.box
    return np.array([(x0 + x1) / 2, (y0 + y1) / 2], dtype=np.float64)


def _width(face: Face) -> float:
    return float(face.box[2] - face.box[0])


def _pictures(path: Path) -> list[Pixels]:
    """Every second one, RGB uint8 (h, w, 3)."""
    with av.open(path) as container:
        frames = [frame for number, frame in enumerate(container.decode(video=0)) if number % 2 == 0]
        return [np.asarray(frame.to_ndarray(format="rgb24", threads=1), dtype=np.uint8) for frame in frames]


def _film(path: Path, source: Source, camera: Camera, rng: np.random.Generator) -> None:
    """Encodes the call as H.264."""
    phases = rng.uniform(0, 2 * np.pi, 5)
    grains = [
        np.repeat(np.rint(rng.normal(0, camera.grain, (HEIGHT, WIDTH, 1))), 3, 2).astype(np.int16) for _ in range(5)
    ]
    to_and_fro = [*source.pictures, *source.pictures[-2:0:-1]]
    with av.open(path, "w", format="mp4") as container:
        options = {"preset": "superfast", "crf": str(camera.crf), "g": str(4 * FPS)}
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.thread_count = 1
        for number in range(SECONDS * FPS):
            picture = to_and_fro[number % len(to_and_fro)]
            shown = _shown(picture, source, camera, number / FPS, phases)
            grainy = cv2.add(shown, grains[number % len(grains)], dtype=cv2.CV_8U)
            frame = av.VideoFrame.from_ndarray(grainy.astype(np.uint8, copy=False), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _shown(
    picture: Pixels, source: Source, camera: Camera, at_s: float, phases: NDArray[np.float64]
) -> NDArray[np.int16]:
    """What the camera sees at one moment: RGB int16 (HEIGHT, WIDTH, 3)."""
    periods_s = (*camera.pan_s, camera.zoom_s, camera.pan_s[0] * 1.3, camera.light_s)
    across, down, zoom, tilt, light = np.sin(2 * np.pi * at_s / np.array(periods_s) + phases)
    scale = camera.face_px / source.width_px * (1 + camera.zoom * zoom)
    angle = np.radians(camera.tilt_deg * tilt)
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    x, y = source.centre
    matrix = np.array(
        [
            [cosine, -sine, WIDTH / 2 + camera.pan_px[0] * across - cosine * x + sine * y],
            [sine, cosine, HEIGHT * 0.45 + camera.pan_px[1] * down - sine * x - cosine * y],
        ]
    )
    # Most are reduced, to a half or less: averaged first, so that no detail is turned into a pattern.
    if scale < 0.75:
        soft = 0.35 / scale
        picture = cv2.GaussianBlur(picture, (0, 0), soft).astype(np.uint8, copy=False)
    seen = cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    gain = (1 + camera.light * light) * np.array((*camera.tint, 0.0))
    return np.asarray(cv2.multiply(seen, gain, dtype=cv2.CV_16S), dtype=np.int16)


if __name__ == "__main__":
    main()
