"""`/score`: pictures and videos are sent to be scored, followed, and what came of them is looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request
from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from monitor.access import Principal
from monitor.actions import Actions
from monitor.uploads import Job
from monitor.web.dashboard.frame import Framing, every, on_click
from monitor.web.dashboard.score_form import ASSETS, score_form
from monitor.web.dashboard.score_result import result_view
from monitor.web.dashboard.score_words import progress
from monitor.web.dashboard.texts import notices, text
from monitor.web.dashboard.visitor import Visitor

_EVERY_S = 1.0
_THRESHOLD = 0.5


def score_page(framing: Framing, actions: Actions) -> None:
    """Registers the page."""

    @ui.page("/score")
    @framing.explains("/score", "the files")
    async def score(request: Request, job: str = "") -> None:
        visitor, who = await framing.visitor(request)
        if not who.may("operator"):
            with framing.page(visitor, who, "Score files", "/score", ASSETS[0]):
                text("p", f"This takes the role operator; yours is {who.role}.").classes("notice")
            return
        offer = actions.scores.offer(who)
        system = actions.system.show(who)
        with framing.page(visitor, who, "Score files", "/score", *(ASSETS if offer.most_bytes else ASSETS[:1])):
            notices(system.notices)
            if offer.most_bytes:
                score_form(visitor, offer, system.model.weights)
            else:
                text("p", "Uploads are turned off: web.upload_mb is 0.").classes("notice")
            jobs = _Jobs(visitor, actions, system.model.weights, job)
            jobs.show(who)
            every(_EVERY_S, visitor, jobs.refresh)


class _Jobs:
    """What the visitor has sent, and the one of these that is looked at.

    Args:
        visitor: whose page it is.
        actions: what it does.
        weights: what judges where no adapter is chosen.
        chosen: id of the job that is looked at first; empty: the newest.
    """

    def __init__(self, visitor: Visitor, actions: Actions, weights: str, chosen: str) -> None:
        self._visitor = visitor
        self._actions = actions
        self._weights = weights
        self._chosen = chosen
        self._threshold = _THRESHOLD
        self._rows: dict[str, _Row] = {}
        self._listed: list[tuple[str, bool]] | None = None
        self._viewed: tuple[str, str, bool] | None = None
        self._view_progress: TextElement | None = None
        with ui.element("div").classes("jobs"):
            with ui.element("section").classes("card").props('aria-labelledby="sent"'):
                text("h2", "Sent files").props('id="sent"')
                self._list = ui.element("div")
            self._view = ui.element("section").classes("card result").props('aria-label="Result"')

    async def refresh(self, who: Principal) -> None:
        """Shows what is so now."""
        self.show(who)

    def show(self, who: Principal) -> None:
        """The same, while the page is built."""
        jobs = self._actions.scores.all(who)
        self._choose(jobs)
        listed = [(job.id, job.over) for job in jobs]
        if listed != self._listed:
            self._build_list(jobs, who)
            self._listed = listed
        for job in jobs:
            self._rows[job.id].follow(job)
        self._look(next((job for job in jobs if job.id == self._chosen), None))

    def _choose(self, jobs: list[Job]) -> None:
        """What is sent while nothing else is on its way is looked at."""
        known = {job_id for job_id, _ in self._listed or ()}
        chosen = next((job for job in jobs if job.id == self._chosen), None)
        new = [job for job in jobs if job.id not in known]
        if new and self._listed is not None and (chosen is None or chosen.over):
            self._chosen = new[-1].id  # of several the one that is scored first
        elif chosen is None:
            self._chosen = jobs[0].id if jobs else ""

    def _build_list(self, jobs: list[Job], who: Principal) -> None:
        self._list.clear()
        self._rows = {}
        with self._list:
            if not jobs:
                text("p", "None yet. What is sent is kept here until the service stops, the last 50 of all.").classes(
                    "quiet"
                )
            with ui.element("ul").classes("sent"):
                for job in jobs:
                    self._rows[job.id] = self._row(job, mine=job.owner == who.name)

    def _row(self, job: Job, *, mine: bool) -> _Row:
        async def choose(who: Principal) -> None:
            self._chosen = job.id
            self.show(who)

        async def remove(who: Principal) -> None:
            await self._actions.scores.cancel(who, job.id)
            self.show(who)

        with ui.element("li") as root:
            name = text("button", job.file).props("type=button").classes("plain name")
            name.on("click", on_click(self._visitor, choose))
            by = "" if mine else f", sent by {job.owner}"
            state = text("span").classes("state")
            bar = ui.element("progress").props('max="1"')
            bar.props["aria-label"] = f"{job.file}, frames looked at"
            bar.set_visibility(not job.over)
            gone = text("button", "Remove" if job.over else "Cancel").props("type=button").classes("plain")
            gone.props["aria-label"] = f"{'Remove' if job.over else 'Cancel'} {job.file}"
            gone.on("click", on_click(self._visitor, remove))
        return _Row(root, state, bar, by, lambda: self._chosen == job.id)

    def _look(self, job: Job | None) -> None:
        viewed = None if job is None else (job.id, job.state, job.annotated is not None)
        if job is not None and self._view_progress is not None and viewed == self._viewed:
            self._view_progress.set_text(progress(job))
        if viewed == self._viewed and self._viewed is not None:
            return
        self._viewed = viewed
        self._view_progress = None
        self._view.clear()
        self._view.set_visibility(job is not None)
        if job is None:
            return
        with self._view:
            text("h2", job.file)
            if job.state == "done" and job.result is not None:
                result_view(job, job.result, self._weights, self._threshold, self._moved)
            else:
                self._view_progress = text("p", progress(job)).props('role="status"')

    def _moved(self, threshold: float) -> None:
        self._threshold = threshold


@dataclass(slots=True)
class _Row:
    """One of the list."""

    root: ui.element
    state: TextElement
    bar: ui.element
    by: str
    is_chosen: Callable[[], bool]

    def follow(self, job: Job) -> None:
        """Shows how it is now."""
        self.state.set_text(progress(job) + self.by)
        share = f"{job.done / job.due:.3f}" if job.due else "0"
        if self.bar.props.get("value") != share:
            self.bar.props["value"] = share
        self.root.classes(replace="shown" if self.is_chosen() else "")
