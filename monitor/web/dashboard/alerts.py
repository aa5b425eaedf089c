"""`/alerts`: what was raised, newest first. Its address holds what is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import Request
from nicegui import ui

from monitor.access import ForbiddenError, Principal
from monitor.actions import Actions, NotFoundError, RefusedError
from monitor.actions.paging import Page
from monitor.calibration_summary import count
from monitor.store import Episode
from monitor.web.dashboard.alert_filter import alert_filter
from monitor.web.dashboard.alert_news import AlertNews
from monitor.web.dashboard.alert_query import PageQuery, address, read_query
from monitor.web.dashboard.alert_rows import AlertRows
from monitor.web.dashboard.frame import Framing
from monitor.web.dashboard.texts import link, part, text

_ON_A_PAGE = 25
_BUILDING_S = 30.0


def alerts_page(framing: Framing, actions: Actions) -> None:
    """Registers the page."""

    @ui.page("/alerts", response_timeout=_BUILDING_S)
    @framing.explains("/alerts", "the alerts")
    async def alerts(request: Request) -> None:
        visitor, who = await framing.visitor(request)
        with framing.page(visitor, who, "Alerts", "/alerts", "alerts.css", "alerts.js"):
            query = PageQuery()
            problem = ""
            found: Page[Episode] = Page([], None)
            try:
                query = read_query(request.query_params)
                found = await actions.alerts.find(who, query.asked(), _ON_A_PAGE, query.cursor)
            except (ForbiddenError, NotFoundError, RefusedError) as error:
                problem = str(error)
            alert_filter(query, actions.system.show(who).health.streams)
            if problem:
                text("p", problem, "notice").props('role="alert"')
                return
            news = _News(query)
            rows = await _list(actions, who, query, found.items)
            _ways(query, found)
            if query.cursor is None:
                top = max((episode.position for episode in found.items), default=0)

                async def look(principal: Principal) -> None:
                    newest = await actions.alerts.find(principal, query.asked(), _ON_A_PAGE, None)
                    if rows is not None:
                        rows.show(newest.items)
                    news.count(sum(episode.position > top for episode in newest.items))

                AlertNews(visitor, actions, (), look)


class _News:
    """Says that there are others by now. Nothing that somebody reads is moved for them."""

    def __init__(self, query: PageQuery) -> None:
        with part("p", "news") as self._line:
            self._said = text("span", "").props('role="status"')
            self._show = link("Show", address(query))
        self._show.set_visibility(False)

    def count(self, number: int) -> None:
        if number:
            many = f"{number} or more new alerts" if number >= _ON_A_PAGE else count(number, "new alert")
            self._said.set_text(many)
            self._show.set_visibility(True)
            self._line.classes(add="some")


async def _list(actions: Actions, who: Principal, query: PageQuery, episodes: Sequence[Episode]) -> AlertRows | None:
    if not episodes:
        asked = query.model_dump(exclude={"cursor"}, exclude_defaults=True)
        text("p", "No alert is like that." if asked or query.cursor else "No alert has been raised yet.", "empty")
        return None
    found = await actions.evidence.portraits(who, [episode.raised for episode in episodes])
    streams = {episode.alert_id: episode.raised.stream for episode in episodes}
    portraits = {
        alert_id: f"/api/v1/evidence/{streams[alert_id]}/{package}/files/{name}"
        for alert_id, (package, name) in found.items()
    }
    return AlertRows(episodes, portraits)


def _ways(query: PageQuery, found: Page[Episode]) -> None:
    """To the other pages of the list, and away from here as a file."""
    with part("div", "below"):
        with part("nav", "pages", aria_label="Pages of the list"):
            if query.cursor is not None:
                link("Newest", address(query))
            if found.following is not None:
                link("Older", address(query, cursor=found.following)).props["rel"] = "next"
        with part("p", "quiet"):
            text("span", "All of these as a file: ")
            link("CSV", address(query, path="/api/v1/alerts.csv"), saved=True)
            text("span", ", ")
            link("NDJSON", address(query, path="/api/v1/alerts.ndjson"), saved=True)
