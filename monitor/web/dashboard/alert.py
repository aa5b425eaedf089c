"""`/alerts/<alert_id>`: one alert, for the person who has to decide what it means."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import Request
from nicegui import ui

from monitor.access import ForbiddenError, Principal
from monitor.actions import Actions, NotFoundError
from monitor.actions.alerts import WholeEpisode
from monitor.messages import Alert
from monitor.store import Episode
from monitor.web.dashboard.alert_evidence import AlertEvidence
from monitor.web.dashboard.alert_news import AlertNews
from monitor.web.dashboard.alert_review import AlertReview
from monitor.web.dashboard.alert_words import happened, reason, scored, worth
from monitor.web.dashboard.frame import Framing
from monitor.web.dashboard.snooze import Snooze
from monitor.web.dashboard.texts import card, facts, link, moment, part, text
from monitor.web.dashboard.visitor import Visitor
from monitor.web.dashboard.words import in_a_sentence

_BUILDING_S = 30.0
_NEWEST = 5
_TYPES = {"raised": "Raised", "updated": "Updated", "cleared": "Over"}


def alert_page(framing: Framing, actions: Actions) -> None:
    """Registers the page."""

    @ui.page("/alerts/{alert_id}", response_timeout=_BUILDING_S)
    @framing.explains("/alerts", "the alerts", "alert")
    async def alert(request: Request, alert_id: str) -> None:
        visitor, who = await framing.visitor(request)
        whole = await actions.alerts.one(who, alert_id)
        stream = whole.episode.raised.stream
        watched = await _is_watched(actions, who, stream)
        with framing.page(visitor, who, f"Alert on {stream}", "/alerts", "alerts.css"):
            page = _AlertPage(visitor, actions, who, whole, watched=watched)
            await page.look(who)


async def _is_watched(actions: Actions, who: Principal, stream: str) -> bool:
    """Whether more may be told of the stream; a call is watched while it is on."""
    try:
        await actions.streams.one(who, stream)
    except (NotFoundError, ForbiddenError):
        return False
    return True


class _AlertPage:
    """What is shown, and shown anew when more is told of the alert."""

    def __init__(
        self, visitor: Visitor, actions: Actions, who: Principal, whole: WholeEpisode, *, watched: bool
    ) -> None:
        self._actions = actions
        episode = whole.episode
        self._alert_id, stream = episode.alert_id, episode.raised.stream
        self._shown = ""
        with part("div", "detail"):
            with part("div", "column"):
                with card("What happened"):
                    self._happened = part("div")
                self._evidence = AlertEvidence(actions, episode)
            with part("div", "column"):
                self._review = AlertReview(visitor, actions, who, episode)
                self._snooze = Snooze(visitor, actions, who, stream, episode.raised.call_of)
                _judged(episode.raised)
                with card("What was told"):
                    self._messages = part("div")
        # Where the stream is watched no more, nothing more can come.
        self._news = AlertNews(visitor, actions, (stream,), self.look) if watched else None

    async def look(self, principal: Principal) -> None:
        """Shows how it is now."""
        whole = await self._actions.alerts.one(principal, self._alert_id)
        if whole.episode.latest.id != self._shown:
            self._shown = whole.episode.latest.id
            self._happened.clear()
            with self._happened:
                _happened(whole.episode)
            self._messages.clear()
            with self._messages:
                _messages(whole)
        self._review.show(whole.episode)
        await self._snooze.look(principal)
        if await self._evidence.look(principal) and self._news is not None:
            self._news.again()


def _happened(episode: Episode) -> None:
    raised, latest, is_open = episode.raised, episode.latest, episode.state == "open"
    with part("p", f"badges {raised.verdict}"):
        text("span", "Open" if is_open else "Over", "badge alert" if is_open else "badge")
        if raised.snoozed_until is not None:
            text("span", "Snoozed then: nobody was called", "badge")
    text("p", happened(episode), "lead")
    text("p", scored(latest))
    with part("p"):
        text("span", worth(raised) + " ")
        link("Calibration", "/calibration")
    for notice in raised.notices:
        text("p", notice, "notice small")
    facts(
        ("First seen", raised.first_seen),
        ("Raised", raised.at),
        *(() if is_open else (("Over since", latest.at), ("Because", reason(latest)))),
    )


def _judged(raised: Alert) -> None:
    model, promised = raised.model, raised.false_alarms_promised_per_stream_day
    with card("What judged"):
        facts(
            ("Encoder", model.weights),
            ("Fine-tune", model.adapter or "none"),
            ("SHA-256", f"{model.sha256[:12]}…"),
            ("Runs on", f"{model.engine}, {model.precision}"),
            ("False alarms a day, asked for", f"{raised.false_alarms_target_per_stream_day:g}"),
            ("promised", "nobody has measured them" if promised is None else f"{promised:.2g}"),
            ("Alert", raised.alert_id),
        )
        with part("p", "quiet small"):
            link("As JSON", f"/api/v1/alerts/{raised.alert_id}")


def _messages(whole: WholeEpisode) -> None:
    newest, older = whole.messages.items[:_NEWEST], whole.messages.items[_NEWEST:]
    _listed(newest)
    if older:
        with part("details"):
            text("summary", f"{len(older)} earlier")
            _listed(older)
    if whole.messages.following is not None:
        with part("p", "quiet small"):
            text("span", f"The newest of {whole.episode.count:,} messages. ")
            link("All of them", f"/api/v1/alerts/{whole.episode.alert_id}/messages")


def _listed(messages: Sequence[Alert]) -> None:
    with part("ol", "timeline"):
        for message in messages:
            with part("li", message.type):
                with part("p"):
                    text("strong", _TYPES[message.type])
                    text("span", f": {reason(message)}")
                if message.reason != "restarted":  # which tells of no face
                    text("p", f"evidence {message.evidence:.1f}, {in_a_sentence(message.verdict)}", "quiet small")
                with part("p", "quiet small"):
                    moment(message.at)
