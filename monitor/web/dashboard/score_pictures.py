"""The frames that were kept of a file, each with a box and p(fake) at each of its faces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from nicegui import ui

from monitor.uploads import Job, KeyPicture
from monitor.web.dashboard.score_words import clock, side_of, tone_of
from monitor.web.dashboard.texts import text

Follow = Callable[[float], None]
_LETTERS_IN_STRIP = 16
"""Height of a frame in heights of the letters on it, where all are shown equally high."""
_LETTERS_ALONE = 34
"""The longer side of a picture in the same, where it is shown alone."""


def pictures(job: Job, result: dict[str, Any]) -> list[Follow]:
    """Builds them.

    Returns:
        What is to be called with a threshold, now and whenever it is moved.
    """
    faces: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for face in result["details"]:
        faces[face["frame"]].append(face)
    single = len(job.pictures) == 1
    shots = ui.element("div").classes("shots single" if single else "shots")
    if not single:  # is moved by itself, also by keys
        shots.props('tabindex="0" role="region" aria-label="Some of the frames"')
    with shots:
        return [_shot(job.id, picture, faces[picture.frame], timed=not single) for picture in job.pictures]


def _shot(job_id: str, picture: KeyPicture, faces: list[dict[str, Any]], *, timed: bool) -> Follow:
    with ui.element("figure").classes("shot"):
        with ui.element("div").classes("picture").style(f"aspect-ratio: {picture.width} / {picture.height}"):
            letters = (
                picture.height / _LETTERS_IN_STRIP if timed else max(picture.width, picture.height) / _LETTERS_ALONE
            )
            # What there is to see is in the caption.
            ui.element("img").props(f'src="/api/v1/scores/{job_id}/pictures/{picture.frame}" alt="" loading="lazy"')
            drawing = ui.element("svg").props(f'viewBox="0 0 {picture.width} {picture.height}" aria-hidden="true"')
            with drawing:
                boxes = [(_box(face, letters), face) for face in faces]
        caption = text("figcaption")

    def follow(threshold: float) -> None:
        said = []
        for box, face in boxes:
            tone = tone_of(face["p_fake"], threshold)
            box.classes(replace=tone)
            said.append(f"face {face['track']}: {face['p_fake']:.2f}, {side_of(face['p_fake'], threshold)}")
        at = f"{clock(picture.at_s)}  " if timed else ""
        caption.set_text(at + ("; ".join(said) or "no face judged"))

    return follow


def _box(face: dict[str, Any], letters: float) -> ui.element:
    x0, y0, x1, y1 = face["box"]
    with ui.element("g") as group:
        ui.element("rect").props(
            f'x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}" rx="{(x1 - x0) / 12:.1f}"'
        )
        above = y0 - letters * 0.4 if y0 > letters * 1.5 else y0 + letters * 1.1
        text("text", f"{face['track']}: {face['p_fake']:.2f}").props(
            f'x="{max(x0, 2):.1f}" y="{above:.1f}" font-size="{letters:.1f}" stroke-width="{letters / 5:.1f}"'
        )
    return group
