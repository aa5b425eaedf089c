"""The step itself: frames of one stream in, crops and observations of its faces out."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np

from gend.errors import PictureError
from gend.faces import Face, FaceDetector, alignment, warp
from monitor.config import FacesConfig
from monitor.messages import Box, Crop, Demand, Frame, Frozen, Look, Pixels, SeenFace, Tracked, TrackObservation
from monitor.redact import one_line
from monitor.stream_config import Polygon
from monitor.tracking.blocks import BlockAccount
from monitor.tracking.finder import Finder
from monitor.tracking.frozen import Repeats, Stillness
from monitor.tracking.previews import Previews
from monitor.tracking.quality import Cause, Gate, sharpness, width_px
from monitor.tracking.sampler import Pace, Sampler
from monitor.tracking.statistics import TrackingStatistics
from monitor.tracking.tracker import Ending, Track, Tracker

_log = logging.getLogger("monitor.tracking")

_EARLY = 0.25
"""Share of the time between analyses by which a frame may be early: the nearest frame, not always a later one."""
_LATE_PERIODS = 2
"""Analyses that may fail to come before their stream counts as silent."""
_EARLY_NEAR_S = 0.3
"""Where full resolution comes from keyframes of another stream, the next one may be a second away."""
_WARP_MARGIN_PX = 2
"""The warp's interpolation reads this much beyond the crop's corners."""


class Tracking:
    """Finds, follows, gates and samples the faces of one stream.

    `warm_up`, `process` and `flush` belong to one thread; `due`, `demand`, `look` and `statistics` may be called from
    any.

    Args:
        stream: its name.
        faces: how faces are found and chosen.
        ignore: polygons in which no face is followed, as fractions of width and height.
        detector: finds faces; used by this object alone.
        prepare: turns an aligned crop uint8 (h, w, 3) into the encoder's input (S, S, 3).
        track_ids: where identities come from; never the same twice.
    """

    def __init__(
        self,
        stream: str,
        faces: FacesConfig,
        ignore: Sequence[Polygon],
        detector: FaceDetector,
        *,
        prepare: Callable[[Pixels], Pixels],
        track_ids: Iterator[str],
    ) -> None:
        self._stream = stream
        self._faces = faces
        self._ignored = [np.array(polygon, dtype=np.float32) for polygon in ignore]
        self._detector = detector
        self._finder = Finder(detector, faces)
        self._prepare = prepare
        self._period_s = 1 / faces.analysis_fps
        self._pace = Pace(_EARLY * self._period_s)
        self._tracker = Tracker(
            track_ids,
            reassociate_s=faces.reassociate_s,
            period_s=self._period_s,
            min_confidence=faces.min_confidence,
        )
        self._gate = Gate(faces)
        self._sampler = Sampler(faces.crops_per_s, faces.max_crops_per_s, self._period_s / 2)
        self._accounts: dict[str, BlockAccount] = {}
        self._previews = Previews()
        self._causes: dict[str, Cause] = {}  # of the tracks whose last face was unfit
        self._repeats = Repeats()
        self._stillness: dict[str, Stillness] = {}
        self._gated: Counter[str] = Counter()
        self._analysed = self._identities = self._ignored_faces = self._sampled = 0
        self._failure: str | None = None
        self._statistics = TrackingStatistics(degraded=detector.degraded)

    @property
    def faces(self) -> FacesConfig:
        """How faces are found and chosen."""
        return self._faces

    @property
    def quiet_s(self) -> float:
        """Seconds for which nobody has been there and nothing has moved; any thread may ask."""
        return self._finder.still_s if self._tracker.empty else 0.0

    @property
    def lifetime_s(self) -> float:
        """Seconds without an analysed frame after which the stream has lost all its faces: time to `flush`."""
        return self._tracker.longest_lifetime_s + _LATE_PERIODS * self._period_s

    def warm_up(self) -> None:
        """Does what would else take a tenth of a second in mid-stream. Raises whatever the detector does."""
        self._finder.warm_up()

    def due(self, at_s: float) -> bool:
        """Whether a frame of this time is to be analysed. Changes nothing."""
        return self._pace.due(at_s, self._period_s)

    def demand(self, demand: Demand) -> None:
        """Takes decision's latest wish for a track; ignored where the track is not alive."""
        self._sampler.demand(demand)

    def look(self, look: Look) -> None:
        """Somebody looks at the stream: previews of it are made."""
        self._previews.look(look)

    def process(self, frame: Frame) -> list[Tracked]:
        """Analyses one frame, whether or not it was due; frames come in order of `at_s`.

        Returns:
            Crops now ready, and the observations of every block and track that has ended, in order of time; and a
            preview of the frame where one is due.

        Raises:
            Exception: whatever converting the picture or the detector raises; the frame is then lost, the tracks
                live on. A crop that cannot be cut raises nothing: it is counted, and told by `statistics`.
        """
        self._pace.mark(frame.at_s, self._period_s)
        found = self._finder.find(frame, self._tracker.settled())
        self._analysed += 1
        shown = found.small if found.luma is None else found.luma
        repeated = shown is not None and self._repeats.see(shown, frame.at_s)
        update = self._tracker.update(self._heeded(found.faces, frame), frame.at_s)

        out: list[Tracked] = []
        for ending in update.ended:
            out += self._end(ending)
        for track in update.lost:
            out += self._account(track).advance(frame.at_s, frame.at_s)
        # All that is told of tracks comes before any pixel is touched.
        seen = [(track, self._account(track)) for track in update.seen]
        for track, account in seen:
            out += account.see(track.seen_since_s, frame.at_s, track.face.box)
            account.freeze(self._frozen(track, None if repeated or not frame.trusted else found.small, frame))
        failed_before = self._gated["failed"]
        crops = [crop for track, account in seen if (crop := self._crop(frame, track, account)) is not None]
        out += crops
        if crops and self._gated["failed"] == failed_before:
            self._failure = None
        if self._previews.due(frame.at_s):
            out.append(self._previews.make(frame, map(self._seen, update.seen)))
        self._take_stock(faces=len(update.seen), at_s=frame.at_s, crop_due=self._crop_due(update.seen, frame.at_s))
        return out

    def flush(self, at_s: float) -> list[TrackObservation]:
        """Ends every track: the stream has stopped, or nothing has come from it for long."""
        ended = [observation for ending in self._tracker.end(at_s) for observation in self._end(ending)]
        self._take_stock(faces=0, at_s=at_s)
        return ended

    def statistics(self) -> TrackingStatistics:
        """A snapshot, as of the last frame."""
        return self._statistics

    def _seen(self, track: Track) -> SeenFace:
        name, face = str(track.id), track.face
        return SeenFace(name, face.box, width_px(face), self._causes.get(name))

    def _heeded(self, faces: Sequence[Face], frame: Frame) -> list[Face]:
        """Those of the faces that are in no ignored polygon."""
        heeded = [face for face in faces if not self._in_ignored(face, frame)]
        self._ignored_faces += len(faces) - len(heeded)
        return heeded

    def _in_ignored(self, face: Face, frame: Frame) -> bool:
        x0, y0, x1, y1 = face.box
        centre = ((x0 + x1) / 2 / frame.width, (y0 + y1) / 2 / frame.height)
        return any(cv2.pointPolygonTest(polygon, centre, measureDist=False) >= 0 for polygon in self._ignored)

    def _account(self, track: Track) -> BlockAccount:
        """The account of a track that has an id; opened when it is first told of."""
        name = str(track.id)
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = BlockAccount(self._stream, name, track.first_seen_s, track.face.box)
            self._sampler.begin(name)
            self._identities += 1
        return account

    def _frozen(self, track: Track, small: Pixels | None, frame: Frame) -> tuple[Frozen, ...]:
        """How the track does not live; `small` is None where the picture tells nothing new of it."""
        stillness = self._stillness.setdefault(str(track.id), Stillness())
        if small is not None:
            x, y = small.shape[1] / frame.width, small.shape[0] / frame.height
            x0, y0, x1, y1 = track.face.box
            stillness.see(small, (x0 * x, y0 * y, x1 * x, y1 * y), frame.at_s)
        # Of a stream that stands still as a whole it says nothing that its pictures do.
        if self._repeats.lasting:
            return ("duplicate frames",)
        return ("still picture",) if stillness.lasting else ()

    def _end(self, ending: Ending) -> list[TrackObservation]:
        name = str(ending.track.id)
        self._sampler.end(name)
        self._stillness.pop(name, None)
        self._causes.pop(name, None)
        account = self._accounts.pop(name, None)
        return [] if account is None else account.end(ending.at_s)

    def _crop(self, frame: Frame, track: Track, account: BlockAccount) -> Crop | None:
        """A crop of the track, if one is due and can be had; where it cannot, it stays due."""
        name = str(track.id)
        early_s, patient_s = 0.0, 0.0
        if frame.detail == "near":
            early_s = _EARLY_NEAR_S
        elif not self._finder.searched:  # the next picture that is has its landmarks, and needs no closer look
            patient_s = (self._faces.search_every - 1) * self._period_s
        if frame.detail == "none" or not self._sampler.due(name, frame.at_s, early_s=early_s, patient_s=patient_s):
            return None
        # What a hostile picture makes of its pixels costs this crop, not what else this frame has to tell.
        try:
            cut = self._cut(frame, track.face)
        except Exception as error:  # noqa: BLE001
            if self._failure is None:
                self._failure = one_line(error)
                _log.debug("%s: cropping fails", self._stream, exc_info=True)
            cut = "failed"
        if not isinstance(cut, tuple):
            account.gate(cut)
            self._gated[cut] += 1
            self._causes[name] = cut
            return None
        pixels, quality = cut
        self._causes.pop(name, None)
        self._sampler.took(name, frame.at_s)
        account.sample()
        self._sampled += 1
        return Crop(self._stream, name, frame.at_s, pixels, quality, width_px(track.face))

    def _cut(self, frame: Frame, face: Face) -> tuple[Pixels, float] | Cause:
        """The encoder's input and its quality, or the cause for which the face is unfit."""
        cause = self._gate.refuse(face, frame)
        if cause is not None:
            return cause
        closer = self._finder.closer(frame, face)
        if closer is None:
            return "alignment"
        face, cause = closer, self._gate.refuse(closer, frame)
        if cause is not None:
            return cause
        try:
            aligned = _align(frame, face)
        except PictureError:
            return "alignment"
        quality = self._gate.quality(face, sharpness(aligned))
        return "blurred" if quality is None else (self._prepare(aligned), quality)

    def _crop_due(self, seen: Sequence[Track], at_s: float) -> bool:
        """Whether a crop may be due before the next analysis is done."""
        early_s = _EARLY_NEAR_S + self._period_s
        new_or_lost = self._tracker.settled() is None
        return new_or_lost or any(self._sampler.due(str(track.id), at_s, early_s=early_s) for track in seen)

    def _take_stock(self, *, faces: int, at_s: float, crop_due: bool = False) -> None:
        self._statistics = TrackingStatistics(
            faces=faces,
            tracks=len(self._accounts),
            analysed=self._analysed,
            searched=self._finder.searches,
            carried=self._finder.carried,
            identities=self._identities,
            ignored=self._ignored_faces,
            sampled=self._sampled,
            gated=dict(self._gated),
            detect_s=self._finder.detect_s,
            quiet_s=self.quiet_s,
            demanded_per_s=self._sampler.demanded_per_s(at_s),
            crop_due=crop_due,
            degraded=self._detector.degraded,
            failure=self._failure,
        )


def _align(frame: Frame, face: Face) -> Pixels:
    """The native aligned crop, of which only those full-resolution pixels are converted that it shows."""
    matrix, size = alignment(face.landmarks)
    to_frame = cv2.invertAffineTransform(matrix)
    corners = np.array([[0, 0, 1], [size, 0, 1], [size, size, 1], [0, size, 1]]) @ to_frame.T  # (4, 2)
    (x0, y0), (x1, y1) = corners.min(axis=0) - _WARP_MARGIN_PX, corners.max(axis=0) + _WARP_MARGIN_PX
    box: Box = (float(x0), float(y0), float(x1), float(y1))
    region, corner = frame.region(box)
    if region.size == 0:
        raise PictureError("the face is outside the picture")
    matrix[:, 2] += matrix[:, :2] @ corner  # from the region's pixels
    return warp(region, matrix, size)
