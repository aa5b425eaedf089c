"""Alerts as a list: a table where there is room, cards where there is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monitor.store import Episode
from monitor.web.dashboard.alert_words import said
from monitor.web.dashboard.texts import link, moment, part, text
from monitor.web.dashboard.words import in_a_sentence

_COLUMNS = ("Face", "Stream", "Raised", "Evidence", "State", "Review")


class AlertRows:
    """The list.

    Args:
        episodes: newest first.
        portraits: addresses of faces, by `alert_id`.
    """

    def __init__(self, episodes: Sequence[Episode], portraits: Mapping[str, str]) -> None:
        # Cards are no table to browsers, unless it is said.
        with part(
            "table", "alerts" if portraits else "alerts faceless", role="table", aria_label="Alerts, newest first"
        ):
            with part("thead", role="rowgroup"), part("tr", role="row"):
                for column in _COLUMNS:
                    text("th", column).props('role="columnheader" scope="col"')
            with part("tbody", role="rowgroup"):
                self._rows = {each.alert_id: _Row(each, portraits.get(each.alert_id)) for each in episodes}

    def show(self, episodes: Sequence[Episode]) -> None:
        """Tells how those of them that are listed are now."""
        for episode in episodes:
            if episode.alert_id in self._rows:
                self._rows[episode.alert_id].show(episode)


class _Row:
    def __init__(self, episode: Episode, portrait: str | None) -> None:
        raised = episode.raised
        self._row = part("tr", role="row")
        with self._row:
            with part("td", "portrait", role="cell"):
                if portrait is None:
                    part("span", "nobody", aria_hidden="true")
                else:
                    part("img", src=portrait, alt="", loading="lazy", width="56", height="56")
            with part("td", "stream", role="cell"):
                link(raised.stream, f"/alerts/{episode.alert_id}", "whole")
                text("span", f"face {raised.track}", "quiet small")
            with part("td", "when", role="cell"):
                moment(raised.at)
            with part("td", "much", role="cell"):
                self._evidence = text("span", "")
                with part("div", "meter", aria_hidden="true"):
                    self._bar = part("span")
            with part("td", "state", role="cell"):
                self._state = text("span", "", "badge")
            with part("td", "said", role="cell"):
                self._said = text("span", "", "badge")
        self.show(episode)

    def show(self, episode: Episode) -> None:
        """Tells how it is now."""
        raised, peak = episode.raised, episode.peak_evidence
        is_open = episode.state == "open"
        self._row.classes(replace=f"{'open' if is_open else 'over'} {raised.verdict}")
        self._evidence.set_text(f"{peak:.1f} of {raised.threshold:.1f}, {in_a_sentence(raised.verdict)}")
        # A line is full at twice the threshold: by then nobody has to compare any more.
        level = min(1.0, peak / raised.threshold / 2) if raised.threshold > 0 else 1.0
        self._bar.style(f"width: {100 * level:.0f}%")
        self._state.set_text("Open" if is_open else "Over")
        self._state.classes(add="alert" if is_open else "", remove="" if is_open else "alert")
        self._said.set_text(said(episode))
        self._said.classes(add="todo" if not episode.reviews else "", remove="" if not episode.reviews else "todo")
