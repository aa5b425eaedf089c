"""What is said of a file that was scored, in words, against the threshold that somebody has set."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Literal

from monitor.uploads import Job, Wish

_SOME = 0.1
"""Share of a face's frames that is told though their mean is low: a manipulation may begin late, or come and go."""

Tone = Literal["fake", "suspect", "clear", "inconclusive"]

HINT = (
    "This is one file against one number. p(fake) is the encoder's own estimate: no false-alarm rate is promised for "
    "it, as there is for alerts of a calibrated stream; heavy compression, filters or a small face move it either way."
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is said of a file.

    Attributes:
        tone: how it is shown.
        title: in short.
        because: the numbers that it rests on.
    """

    tone: Tone
    title: str
    because: str


class FramesAbove:
    """In how many frames each face reaches a threshold.

    Args:
        result: of a job.
    """

    def __init__(self, result: dict[str, Any]) -> None:
        self._p_fake: dict[int, list[float]] = defaultdict(list)
        for face in result["details"]:
            self._p_fake[face["track"]].append(face["p_fake"])
        for values in self._p_fake.values():
            values.sort()

    def of(self, track: int, threshold: float) -> int:
        """So many frames."""
        values = self._p_fake[track]
        return len(values) - bisect_left(values, threshold)


def judgement(result: dict[str, Any], above_in: FramesAbove, threshold: float) -> Judgement:
    """Holds each face's mean against a threshold, and says where single frames reach it.

    Args:
        result: of a job.
        above_in: of the same.
        threshold: of p(fake); what reaches it is called manipulated.
    """
    tracks = result["tracks"]
    if not tracks:
        left_out = result["left_out"]
        why = f"{_plural(left_out, 'face was', 'faces were')} too small or turned too far away." if left_out else ""
        return Judgement("inconclusive", "No face could be judged", why)
    above = [track for track in tracks if track["mean"] >= threshold]
    level = f"the threshold {threshold:.2f}"
    if not above:
        share, worst = max((above_in.of(track["id"], threshold) / track["frames"], track["id"]) for track in tracks)
        if share >= _SOME:
            track = next(track for track in tracks if track["id"] == worst)
            count = above_in.of(worst, threshold)
            return Judgement(
                "suspect",
                "Some frames look manipulated",
                f"Face {worst} is at or above {level} in {count} of {track['frames']} frames; its mean is "
                f"{track['mean']:.2f}.",
            )
    if len(tracks) == 1:
        mean = f"Mean p(fake) {tracks[0]['mean']:.2f}"
        if above:
            return Judgement("fake", "Looks manipulated", f"{mean}, at or above {level}.")
        return Judgement("clear", "No sign of manipulation", f"{mean}, below {level}.")
    if above:
        names = ", ".join(f"face {track['id']} ({track['mean']:.2f})" for track in above[:5])
        more = f" and {len(above) - 5} more" if len(above) > 5 else ""
        looks = "looks" if len(above) == 1 else "look"
        title = f"{len(above)} of {len(tracks)} faces {looks} manipulated"
        return Judgement("fake", title, f"Mean p(fake) at or above {level}: {names}{more}.")
    highest = max(track["mean"] for track in tracks)
    return Judgement(
        "clear",
        "No sign of manipulation",
        f"All {len(tracks)} faces are below {level}; the highest mean is {highest:.2f}.",
    )


def tone_of(p_fake: float, threshold: float) -> Tone:
    """How a face is shown."""
    return "fake" if p_fake >= threshold else "clear"


def side_of(p_fake: float, threshold: float) -> str:
    """The same in a word, for whoever does not see colours."""
    return "above" if p_fake >= threshold else "below"


def progress(job: Job) -> str:
    """How far a job is."""
    if job.state == "waiting":
        return "waits for its turn"
    if job.state == "running":
        return f"frame {job.done} of {job.due}" if job.due else "begins"
    if job.state == "done" and job.result is not None:
        mean = job.result["mean"]
        return "done: no face" if mean is None else f"done: mean p(fake) {mean:.2f}"
    return f"failed: {job.error}" if job.state == "failed" else job.state


def looked_at(wish: Wish, weights: str) -> str:
    """How a file was looked at, in one line."""
    said = [f"judged by {weights}" + ("" if wish.adapter is None else f", adapter {wish.adapter}")]
    if wish.stride is not None:
        said.append("every frame" if wish.stride == 1 else f"every {wish.stride}th frame")
    elif wish.per_second is not None:
        said.append(f"about {wish.per_second:g} frames a second")
    if wish.largest or wish.most_faces == 1:
        said.append("the largest face of each frame")
    elif wish.most_faces is not None:
        said.append(f"at most {wish.most_faces} faces of each frame")
    said.append(f"faces of {wish.min_face_px} px and more")
    return ", ".join(said)


def clock(at_s: float) -> str:
    """Minutes and seconds of a video."""
    minutes, seconds = divmod(at_s, 60)
    return f"{int(minutes)}:{seconds:04.1f}"


def _plural(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
