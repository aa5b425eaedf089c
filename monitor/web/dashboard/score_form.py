"""The form by which files are sent to be scored. `score.js` sends them, straight to the API: its limits hold there."""

from __future__ import annotations

import json

from nicegui import ui

from monitor.actions.scores import Offer
from monitor.web.dashboard.texts import text
from monitor.web.dashboard.visitor import Visitor

ASSETS = ("score.css", "score.js")
"""The style of the page, and the script of the form."""
_SPREADS = {"frames": "spread evenly", "stride": "every so many-th", "per_second": "a second, about"}
_FACES = {"": "All", "1": "Only the largest", "2": "The 2 largest", "4": "The 4 largest", "8": "The 8 largest"}


def score_form(visitor: Visitor, offer: Offer, weights: str) -> None:
    """Builds it.

    Args:
        visitor: who sends.
        offer: what may be sent and chosen.
        weights: what judges where no adapter is chosen.
    """
    form = ui.element("form").classes("card sheet").props('id="score" aria-label="Send files to be scored"')
    form.props["data-told"] = json.dumps({"csrf": visitor.csrf, "most": offer.most_bytes})
    with form:
        with ui.element("label").classes("drop").props('for="files"'):
            text("strong", "Drop pictures or videos here, or choose them")
            text("span", f"Anything FFmpeg reads, up to {offer.most_bytes / 1e6:g} MB each.").classes("quiet small")
            ui.element("input").props('type="file" id="files" multiple accept="image/*,video/*"')
        ui.element("ul").props('id="chosen" aria-label="Chosen files"').classes("chosen")
        with ui.element("div").classes("options"):
            _choice(
                "What judges", "adapter", {"": f"{weights}, as it is", **{n: f"adapter {n}" for n in offer.adapters}}
            )
            with ui.element("div").classes("option"):
                text("label", "Frames of a video").props('for="count"')
                with ui.element("div").classes("pair"):
                    _number("count", 32, 'min="0.01" max="10000" step="any"')
                    _select("spread", _SPREADS).props('aria-label="How frames are chosen"')
            _choice("Faces of each frame", "most_faces", _FACES)
            with ui.element("div").classes("option"):
                text("label", "Smallest face, pixels wide").props('for="min_face_px"')
                _number("min_face_px", 30, 'min="1" max="10000" step="1" name="min_face_px"')
        with ui.element("div").classes("sendoff"):
            with ui.element("label").classes("only"):
                ui.element("input").props('type="checkbox" name="annotate" checked')
                text("span", "Make an annotated copy; of a long video this takes a while")
            ui.button("Score").props('type=submit no-caps unelevated id="send"')
        ui.element("p").props('id="said" role="status"').classes("told")


def _choice(label: str, name: str, options: dict[str, str]) -> None:
    with ui.element("div").classes("option"):
        text("label", label).props(f'for="{name}"')
        _select(name, options).props(f'name="{name}"')


def _select(name: str, options: dict[str, str]) -> ui.element:
    select = ui.element("select").props(f'id="{name}"')
    with select:
        for value, words in options.items():
            text("option", words).props["value"] = value
    return select


def _number(name: str, value: float, props: str) -> None:
    ui.element("input").props(f'type="number" id="{name}" value="{value:g}" required {props}')
