"""What a stream shows now: its newest picture, small, and the faces in it with what is held of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from monitor.access import Principal
from monitor.actions.errors import BusyError
from monitor.actions.known import CallOf, StreamNames, check_known
from monitor.live import Live
from monitor.messages import Box, Preview, Status, VerdictState
from monitor.previews import FullError, Looking, Previews

_WAIT_S = 2.0


@dataclass(frozen=True, slots=True)
class FaceNow:
    """A face that is followed, and what is held of it.

    Attributes:
        track: its identity.
        box: in pixels of the full-resolution frame.
        width_px: of the face, in the same.
        gated: why it was last found unfit to be scored; None where it was fit.
        state: the verdict.
        evidence: what speaks for manipulation.
        threshold: from which evidence an alert is raised; None before anything is held of the face.
        samples: crops that were scored.
        reasons: why the verdict is no better.
    """

    track: str
    box: Box
    width_px: float
    gated: str | None
    state: VerdictState = "inconclusive"
    evidence: float = 0.0
    threshold: float | None = None
    samples: int = 0
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FacesNow:
    """The faces of one moment.

    Attributes:
        at_s: on the service's clock, seconds.
        width: of the full-resolution frame, pixels.
        height: of it.
        min_face_px: narrower faces are not scored.
        faces: those that are followed.
    """

    at_s: float
    width: int
    height: int
    min_face_px: float
    faces: tuple[FaceNow, ...]


class Watching:
    """What one who looks at a stream gets; made by `PictureActions.watch`. It must be closed."""

    def __init__(self, looking: Looking, live: Live, status: Callable[[], Status | None], min_face_px: float) -> None:
        self._looking = looking
        self._live = live
        self._status = status
        self._min_face_px = min_face_px
        self._standing = status()

    async def next(self) -> tuple[FacesNow | None, Status | None]:
        """The faces of the next moment, None where no picture comes for two seconds; and the state of the stream.

        The state is None where the stream is watched no more.
        """
        preview = await self._looking.next(_WAIT_S)
        self._standing = self._status()
        faces = None if preview is None else faces_now(preview, self._live, self._min_face_px)
        return faces, self._standing

    @property
    def over(self) -> bool:
        """Whether the service stops, or the stream was gone at the last moment."""
        return self._looking.over or self._standing is None

    def close(self) -> None:
        """Looks no more."""
        self._looking.close()


def faces_now(preview: Preview, live: Live, min_face_px: float) -> FacesNow:
    """The faces of a preview, with what is held of each."""
    held = {each.verdict.track: each.verdict for each in live.verdicts(preview.stream)}
    faces = []
    for face in preview.faces:
        now = FaceNow(face.track, face.box, face.width_px, face.gated)
        verdict = held.get(face.track)
        if verdict is not None:
            now = replace(
                now,
                state=verdict.state,
                evidence=verdict.evidence,
                threshold=verdict.threshold,
                samples=verdict.samples,
                reasons=verdict.reasons,
            )
        faces.append(now)
    return FacesNow(preview.at_s, preview.width, preview.height, min_face_px, tuple(faces))


class PictureActions:
    """Shows pictures.

    Args:
        names: the streams that are watched.
        previews: small pictures of streams.
        live: what is held of faces.
        status: the state of a stream now; None where it is not watched.
        min_face_px: narrower faces are not scored, as it is configured now.
        call_of: what calls are calls of.
    """

    def __init__(
        self,
        names: StreamNames,
        previews: Previews,
        live: Live,
        status: Callable[[str], Status | None],
        min_face_px: Callable[[], float],
        *,
        call_of: CallOf,
    ) -> None:
        self._call_of = call_of
        self._names = names
        self._previews = previews
        self._live = live
        self._status = status
        self._min_face_px = min_face_px

    async def newest(self, principal: Principal, stream: str) -> Preview | None:
        """A picture of now, waited for; None where none comes for two seconds.

        Raises:
            NotFoundError: there is no stream of that name.
            BusyError: as many look as may.
        """
        principal.require("viewer", stream, self._call_of(stream))
        looking = self._look(principal, stream)
        try:
            return await looking.next(_WAIT_S)
        finally:
            looking.close()

    def watch(self, principal: Principal, stream: str) -> Watching:
        """The faces of a stream, moment by moment. Raises as `newest`."""
        principal.require("viewer", stream, self._call_of(stream))
        return Watching(self._look(principal, stream), self._live, lambda: self._status(stream), self._min_face_px())

    def _look(self, principal: Principal, stream: str) -> Looking:
        check_known(stream, self._names)
        try:
            return self._previews.look(stream, principal.counted_as)
        except FullError as error:
            raise BusyError(str(error)) from error
