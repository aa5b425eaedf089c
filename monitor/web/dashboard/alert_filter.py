"""The form by which alerts are looked for. It asks for an address, which can be kept, passed on and gone back to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from monitor import payloads
from monitor.web.dashboard.alert_query import PageQuery
from monitor.web.dashboard.texts import link, part, text
from monitor.web.dashboard.words import VERDICTS

_STATES = {"": "Any state", "open": "Open", "cleared": "Over"}
_VERDICTS = {"": "Any verdict", **{str(name): said for name, said in VERDICTS.items()}}
_REVIEWED = {"": "Any review", "false": "Not reviewed", "true": "Reviewed"}


def alert_filter(query: PageQuery, streams: Iterable[str]) -> None:
    """Builds it.

    Args:
        query: what is asked for now.
        streams: those that there are.
    """
    asked = query.stream[0] if query.stream else ""
    reviewed = "" if query.reviewed is None else str(query.reviewed).lower()
    names = sorted({*streams, *query.stream})
    with part("form", "filter", id="filter", method="get", action="/alerts", role="search", aria_label="Alerts"):
        _choice("Stream", "stream", asked, {"": "Every stream", **{name: name for name in names}})
        _choice("State", "state", query.state or "", _STATES)
        _choice("Review", "reviewed", reviewed, _REVIEWED)
        _choice(
            "Verdict",
            "verdict",
            query.verdict or "",
            {"": "Any verdict", **{str(name): said for name, said in VERDICTS.items()}},
        )
        _when("Raised from", "since", query.since)
        _when("until", "until", query.until)
        with part("div", "go"):
            text("button", "Show", "act").props("type=submit")
            link("Clear", "/alerts")


def _choice(label: str, name: str, chosen: str, options: Mapping[str, str]) -> None:
    with part("div", "field"):
        text("label", label).props["for"] = f"by-{name}"
        with part("select", name=name, id=f"by-{name}"):
            for value, said in options.items():
                option = text("option", said)
                option.props["value"] = value
                if value == chosen:
                    option.props["selected"] = True


def _when(label: str, name: str, at: datetime | None) -> None:
    with part("div", "field moment"):
        text("label", label).props["for"] = f"by-{name}"
        chosen = part("input", name=name, id=f"by-{name}", type="datetime-local")
        if at is not None:
            chosen.props["data-at"] = payloads.rfc3339(at)
