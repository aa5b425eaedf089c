"""What people say of an alert, and where they say it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from monitor.access import Principal
from monitor.actions import Actions
from monitor.messages import Answer
from monitor.store import Episode
from monitor.web.dashboard.alert_words import ANSWERS
from monitor.web.dashboard.frame import on_click
from monitor.web.dashboard.texts import card, moment, part, text
from monitor.web.dashboard.visitor import Visitor

_COLOURS: dict[Answer, str] = {"right": "negative", "wrong": "positive", "unsure": "secondary"}
_NOTE_LENGTH = 2000


class AlertReview:
    """The section.

    Args:
        visitor: whoever looks.
        actions: what takes their word.
        who: as whom they have come: who may not review is offered nothing.
        episode: the alert.
    """

    def __init__(self, visitor: Visitor, actions: Actions, who: Principal, episode: Episode) -> None:
        self._actions = actions
        self._alert_id = episode.alert_id
        self._reviews = -1
        with card("Was it right?"):
            self._so_far = text("p", "").props('role="status"')
            if who.may("operator"):
                self._ask(visitor)
            self._history = part("ol", "timeline")
        self.show(episode)

    def _ask(self, visitor: Visitor) -> None:
        self._note = ui.textarea("Note, if you like: what was to be seen")
        self._note.props(f"outlined dense autogrow maxlength={_NOTE_LENGTH}").classes("note")
        with part("div", "answers"):
            for answer, said in ANSWERS.items():
                button = ui.button(said, on_click=on_click(visitor, self._answering(answer)), color=_COLOURS[answer])
                button.props("outline no-caps")

    def _answering(self, answer: Answer) -> Callable[[Principal], Awaitable[None]]:
        async def keep(principal: Principal) -> None:
            note = (self._note.value or "").strip() or None
            self.show(await self._actions.alerts.review(principal, self._alert_id, answer, note))
            self._note.set_value("")

        return keep

    def show(self, episode: Episode) -> None:
        """Shows what was said so far."""
        if len(episode.reviews) == self._reviews:
            return
        self._reviews = len(episode.reviews)
        reviewed = episode.reviewed
        if reviewed is None:
            self._so_far.set_text("Nobody has said anything yet.")
        elif reviewed.contradiction:
            self._so_far.set_text(f"People contradict each other: {reviewed.contradiction}.")
        else:
            self._so_far.set_text(f"{ANSWERS[reviewed.answer]}.")
        self._history.clear()
        with self._history:
            for review in reversed(episode.reviews):
                with part("li", review.answer):
                    with part("p"):
                        text("strong", ANSWERS[review.answer])
                        text("span", f", says {review.by or 'somebody'}")
                    if review.note:
                        text("p", review.note, "word")
                    with part("p", "quiet small"):
                        moment(review.at)
