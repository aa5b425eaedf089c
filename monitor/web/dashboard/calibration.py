"""`/calibration`: how many false alarms each stream is promised, and what to do where that is too little."""

from __future__ import annotations

from fastapi import Request
from nicegui import ui

from monitor.access import Principal
from monitor.actions import Actions
from monitor.actions.promises import Asked, Curve, StreamPromise
from monitor.calibration_summary import count, duration, rate
from monitor.learning import LearningStatistics
from monitor.web.dashboard.calibration_next import what_next
from monitor.web.dashboard.frame import Framing
from monitor.web.dashboard.promise_charts import curve_chart, overview_chart
from monitor.web.dashboard.texts import card, facts, part, text

_BUILDING_S = 30.0


def calibration_page(framing: Framing, actions: Actions) -> None:
    """Registers the page."""

    @ui.page("/calibration", response_timeout=_BUILDING_S)
    @framing.explains("/calibration", "the calibration")
    async def calibration(request: Request) -> None:
        visitor, who = await framing.visitor(request)
        promises = await actions.calibrations.all(who)
        curves = {promise.stream: await _curve(actions, who, promise) for promise in promises}
        asked, learning = actions.calibrations.asked(who), actions.calibrations.learning(who)
        with framing.page(visitor, who, "Calibration", "/calibration", "calibration.css"):
            _overview(promises, asked)
            if learning is not None:
                _learning(learning)
            with part("div", "promises"):
                for promise in promises:
                    _stream(promise, curves[promise.stream], asked, learns=learning is not None)
            if not promises:
                text("p", "No stream is watched yet.", "empty")


async def _curve(actions: Actions, who: Principal, promise: StreamPromise) -> Curve | None:
    return None if promise.calibration is None else await actions.calibrations.curve(who, promise.stream)


def _overview(promises: list[StreamPromise], asked: Asked) -> None:
    kept = sum(promise.calibrated for promise in promises)
    how = "on average" if asked.confidence is None else f"in {asked.confidence:.0%} of calibrations"
    text("p", f"{kept} of {count(len(promises), 'stream')} calibrated.", "lead")
    text(
        "p",
        f"You ask for {asked.target_per_day:g} false alarms a day and stream, {how}. A calibration is made of "
        "footage of real people from the stream itself, and says how much of that can be promised.",
        "quiet",
    )
    if len([promise for promise in promises if promise.promised_per_day is not None]) > 1:
        with part("section", "card overview", aria_label="All streams"):
            overview_chart(promises, asked.target_per_day)


def _learning(learning: LearningStatistics) -> None:
    with card("Learning while watching", "overview"):
        text(
            "p",
            f"{count(learning.crops, 'scored picture')} of faces and {count(learning.fakes, 'made fake')} were learnt "
            f"from since the service started; the file has {learning.bytes / 1e6:.1f} MB. It holds numbers only.",
        )
        if learning.failure is not None:
            text("p", f"Nothing is learnt for now: {learning.failure}", "notice")


def _stream(promise: StreamPromise, curve: Curve | None, asked: Asked, *, learns: bool) -> None:
    with part("section", "card promise", aria_labelledby=f"of-{promise.stream}"):
        with part("div", "head"):
            text("h2", promise.stream).props(f'id="of-{promise.stream}"')
            _badge(promise)
        text("p", _in_words(promise), "lead")
        if curve is not None and promise.promised_per_day is not None:
            curve_chart(promise, curve)
        if promise.drift.text is not None:
            text("p", f"Drift: {promise.drift.text}", "notice")
        _facts(promise)
        what_next(promise, asked, learns=learns)


def _badge(promise: StreamPromise) -> None:
    if promise.drift.text is not None:
        text("span", "Drifted", "badge warn")
    elif promise.calibrated:
        text("span", "Calibrated", "badge good")
    elif promise.calibration is None:
        text("span", "Not measured", "badge warn")
    else:
        text("span", "Not enough", "badge warn")


def _in_words(promise: StreamPromise) -> str:
    if promise.promised_per_day is None:
        return "Nobody has measured how often a real person raises an alarm here."
    promised = f"At most {rate(promise.promised_per_day)} false alarms a day"
    if promise.calibrated:
        return f"{promised} are promised: {_seldom(promise.promised_per_day)}."
    return f"{promised} can be promised, not the {promise.target_per_day:g} asked for."


def _seldom(per_day: float) -> str:
    """The same rate as people say it."""
    if per_day >= 1:
        return f"{per_day:.1f} a day"
    days = 1 / per_day
    return f"one in {days:.0f} days" if days < 60 else f"one in {days / 30.4:.0f} months"


def _facts(promise: StreamPromise) -> None:
    made = promise.calibration
    if made is None:
        facts(("Alerts are raised at", f"evidence of {promise.threshold:g}, which nobody has measured"))
        return
    drift = "none" if promise.drift.text is None else "yes"
    facts(
        ("Alerts are raised at", f"evidence of {promise.threshold:.2f}"),
        ("Made of", f"{count(made.sessions, 'session')} of {duration(made.session_hours)}"),
        *((("Still missing", f"{duration(promise.missing_hours)} of real footage"),) if promise.missing_hours else ()),
        ("Made", made.made),
        ("by", made.software),
        ("Drift", drift if promise.drift.compared else "not looked for: too few sessions hold a face"),
        ("SHA-256", f"{made.sha256[:12]}…"),
    )
    with part("details"):
        text("summary", "In the words of the command line")
        text("p", promise.summary, "quiet small")
