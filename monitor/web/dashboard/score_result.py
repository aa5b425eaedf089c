"""What came of one file: the verdict in words, its pictures, its curve, its tables, and files to keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nicegui import events, ui
from nicegui.elements.mixins.text_element import TextElement

from monitor.uploads import Job
from monitor.web.dashboard.score_curve import Curve
from monitor.web.dashboard.score_pictures import Follow, pictures
from monitor.web.dashboard.score_words import HINT, FramesAbove, clock, judgement, looked_at, side_of, tone_of
from monitor.web.dashboard.texts import text

_MOST_ROWS = 200
"""Of each table; the files have all."""


def result_view(
    job: Job, result: dict[str, Any], weights: str, threshold: float, moved: Callable[[float], None]
) -> None:
    """Builds it.

    Args:
        job: is done.
        result: of it.
        weights: what judged, where no adapter did.
        threshold: of p(fake), to begin with. It scores nothing anew: it says how what came out is shown.
        moved: told where it is moved to.
    """
    above_in = FramesAbove(result)
    follow: list[Follow] = [_verdict(result, above_in)]
    if result["tracks"]:
        follow.append(_threshold(threshold, moved, follow))
    _figures(result)
    text("p", HINT).classes("quiet small hint")
    if job.pictures:
        follow += pictures(job, result)
    if result["tracks"] and result["frames"] > 1:
        text("h3", "p(fake) over time")
        curve = Curve(result, threshold)
        follow.append(curve.follow)
        if curve.faces_left_out:
            text("p", f"{curve.faces_left_out} more faces, seen less, are in the table alone.").classes("quiet small")
    if job.annotated is not None and job.annotated.endswith(".mp4"):
        text("h3", "Annotated video")
        video = ui.element("video").classes("annotated").props('controls preload="metadata" playsinline')
        video.props["src"] = f"/api/v1/scores/{job.id}/annotated"
        video.props["aria-label"] = "Annotated video"
    if result["tracks"]:
        text("h3", "Faces")
        follow.append(_tracks(result, above_in))
        _details(result)
    text("p", looked_at(job.wish, weights)).classes("quiet small")
    _files(job)
    for each in follow:
        each(threshold)


def _verdict(result: dict[str, Any], above_in: FramesAbove) -> Follow:
    with ui.element("div").props('role="status"') as box:
        title, because = text("p").classes("title"), text("p")

    def follow(threshold: float) -> None:
        judged = judgement(result, above_in, threshold)
        box.classes(replace=f"judged {judged.tone}")
        title.set_text(judged.title)
        because.set_text(judged.because)

    return follow


def _threshold(threshold: float, moved: Callable[[float], None], others: list[Follow]) -> Follow:
    with ui.element("div").classes("threshold"):
        text("label", "Threshold on p(fake)").props('for="threshold"')
        slider = ui.element("input").props('type="range" id="threshold" min="0" max="1" step="0.01"')
        slider.props["value"] = f"{threshold:g}"
        shown = text("output").props('for="threshold"')

    def slid(event: events.GenericEventArguments) -> None:
        value = min(1.0, max(0.0, float(event.args)))
        moved(value)
        for each in others:
            each(value)

    slider.on("input", slid, js_handler="(event) => emit(event.target.value)", throttle=0.1)
    return lambda value: _show(shown, value)


def _show(shown: TextElement, value: float) -> None:
    shown.set_text(f"{value:.2f}")


def _figures(result: dict[str, Any]) -> None:
    def share(value: float | None) -> str:
        return "none" if value is None else f"{value:.3f}"

    figures = {
        "Mean p(fake)": share(result["mean"]),
        "Median p(fake)": share(result["median"]),
        "Frames looked at": f"{result['frames']:,}",
        "Faces judged": f"{result['faces']:,}",
        "Left out": f"{result['left_out']:,}",
    }
    with ui.element("dl").classes("figures"):
        for name, value in figures.items():
            with ui.element("div"):
                text("dt", name)
                text("dd", value)


def _tracks(result: dict[str, Any], above_in: FramesAbove) -> Follow:
    longest = sorted(result["tracks"], key=lambda track: -track["frames"])[:_MOST_ROWS]
    tracks = sorted(longest, key=lambda track: track["id"])
    rows = [
        (
            f"{track['id']}",
            f"{clock(track['first_s'])} to {clock(track['last_s'])}",
            f"{track['frames']:,}",
            f"{track['mean']:.3f}",
            f"{track['median']:.3f}",
            "",
            "",
        )
        for track in tracks
    ]
    head = ("Face", "Seen", "Frames", "Mean", "Median", "Mean is", "Frames above")
    cells = _table("Each face over the file", head, rows)
    _more(len(result["tracks"]), len(tracks))

    def follow(threshold: float) -> None:
        for row, track in zip(cells, tracks, strict=True):
            row[-2].set_text(side_of(track["mean"], threshold))
            row[-2].classes(replace=f"side {tone_of(track['mean'], threshold)}")
            row[-1].set_text(f"{above_in.of(track['id'], threshold):,}")

    return follow


def _details(result: dict[str, Any]) -> None:
    faces = result["details"]
    with ui.element("details").classes("every"):
        text("summary", f"Every face of every frame ({len(faces):,})")
        rows = [
            (
                f"{face['frame']}",
                clock(face["at_s"]),
                f"{face['track']}",
                f"{face['p_fake']:.3f}",
                f"{face['box'][2] - face['box'][0]:.0f} px",
                f"{face['confidence']:.2f}",
            )
            for face in faces[:_MOST_ROWS]
        ]
        _table("Every face", ("Frame", "Time", "Face", "p(fake)", "Width", "Found with"), rows)
        _more(len(faces), len(rows))


def _table(caption: str, head: tuple[str, ...], rows: Sequence[Sequence[str]]) -> list[list[TextElement]]:
    # Wider than a phone: it is moved by itself, also by keys.
    wide = ui.element("div").classes("wide").props(f'tabindex="0" role="region" aria-label="{caption}"')
    cells = []
    with wide, ui.element("table").classes("cells"):
        with ui.element("thead"), ui.element("tr"):
            for name in head:
                text("th", name).props('scope="col"')
        with ui.element("tbody"):
            for row in rows:
                with ui.element("tr"):
                    cells.append([text("td", cell) for cell in row])
    return cells


def _more(there_are: int, shown: int) -> None:
    if there_are > shown:
        text("p", f"{there_are - shown:,} more are in the files below.").classes("quiet small")


def _files(job: Job) -> None:
    address = f"/api/v1/scores/{job.id}"
    files = {
        "JSON, as gend score --json --details": "result.json",
        "CSV, a line for each face of each frame": "faces.csv",
    }
    if job.annotated is not None:
        kind = "video" if job.annotated.endswith(".mp4") else "picture"
        files[f"Annotated {kind}"] = "annotated"
    with ui.element("p").classes("downloads"):
        text("span", "Download: ")
        for words, name in files.items():
            text("a", words).props(f'href="{address}/{name}" download')
