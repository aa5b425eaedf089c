"""The page: what is promised, what that stands on, how scores and sessions look, and what it is bound to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np

from gend.pages.elements import (
    aside,
    cards,
    details,
    document,
    figure,
    number_cell,
    paragraph,
    section,
    table,
    text_cell,
)
from monitor.calibration_report.assumptions import assumptions
from monitor.calibration_report.plots import NamedCurve, Threshold, promise_plot, reliability_plot
from monitor.calibration_summary import RATES, count, duration, rate, verdict
from monitor.decision import Calibration, Promise
from monitor.decision.calibration import LEAST_NATS
from monitor.decision.fitting import Fitted
from monitor.decision_config import DecisionConfig

_SURE = 0.95
"""Confidence beside the average, where none is asked for."""
_MOST_SESSIONS = 200
"""Rows of the table: beyond that those that came highest."""
_HOUR_S = 3600.0


def page(name: str, calibration: Calibration, asked: DecisionConfig, fitted: Fitted | None) -> str:
    """The report; arguments as of `write_report`."""
    mine = calibration.promise(asked)
    title = f"Calibration {name}"
    return document(
        title,
        [
            f"<header><h1>{escape(title)}</h1>{paragraph(_first_line(calibration))}",
            f"{paragraph(verdict(mine, asked))}{_key_figures(calibration, asked, mine)}</header>",
            aside("What this stands on", assumptions(calibration, asked, fitted)),
            section("What can be promised", *_promises(calibration, asked, mine)),
            section("Scores", *_scores(calibration, fitted)),
            section("Sessions", *_sessions(calibration, asked, mine)),
            section("What it is bound to", *_bound_to(calibration)),
        ],
    )


def _first_line(calibration: Calibration) -> str:
    length = duration(calibration.session_hours)
    return f"{calibration.made:%Y-%m-%d %H:%M} UTC, of {count(len(calibration.sessions), 'session')} of {length}."


def _key_figures(calibration: Calibration, asked: DecisionConfig, mine: Promise) -> str:
    sessions = calibration.sessions
    hours = len(sessions) * calibration.session_hours
    tracks, blocks = sum(len(each.peaks) for each in sessions), sum(each.blocks for each in sessions)
    found = [
        (rate(mine.promised_per_day), ("false alarms a day and stream", f"at the most; {_asked(asked)}")),
        (f"{mine.threshold:.2f}", ("evidence raises an alert", "the threshold")),
        (duration(hours), ("of real footage", f"{count(tracks, 'face')}, {duration(blocks / _HOUR_S)} scored")),
    ]
    if not mine.kept:
        found.append((duration(mine.missing_hours), ("more are missing", "for what is asked for")))
    if calibration.calibration_error is not None:
        found.append((f"{calibration.calibration_error:.3f}", ("calibration error", "of scores, ECE")))
    return cards(found)


def _asked(asked: DecisionConfig) -> str:
    how = "" if asked.confidence is None else f" in {asked.confidence:.0%} of calibrations"
    return f"asked: {asked.false_alarms_per_stream_day:g}{how}"


def _senses(asked: DecisionConfig) -> list[tuple[str, DecisionConfig]]:
    """On average, and in most calibrations: what was asked for comes first."""
    sure = asked.confidence or _SURE
    average = ("promised on average", asked.model_copy(update={"confidence": None}))
    surely = (f"promised in {sure:.0%} of calibrations", asked.model_copy(update={"confidence": sure}))
    return [average, surely] if asked.confidence is None else [surely, average]


def _promises(calibration: Calibration, asked: DecisionConfig, mine: Promise) -> Iterable[str]:
    rates = sorted({*RATES, asked.false_alarms_per_stream_day})
    senses = _senses(asked)
    others = []
    lines = []
    for per_day in rates:
        cells = [f"<th scope=row>{per_day:g}</th>"]
        for first, (_, config) in enumerate(senses):
            promise = calibration.promise(config.model_copy(update={"false_alarms_per_stream_day": per_day}))
            cells += _promise_cells(promise)
            if not first and promise.kept and per_day != asked.false_alarms_per_stream_day:
                others.append(Threshold(promise.threshold, per_day, kept=True))
        kind = "total" if per_day == asked.false_alarms_per_stream_day else ""
        lines.append(f'<tr class="{kind}">{"".join(cells)}</tr>')
    peaks = np.array([peak for session in calibration.sessions for peak in session.peaks])
    threshold = Threshold(mine.threshold, asked.false_alarms_per_stream_day, mine.kept)
    curves = [NamedCurve(name, calibration.promise_curve(config)) for name, config in senses]
    yield paragraph(
        "A threshold promises more the fewer real faces came as high, and the more sessions there are. None lies below "
        f"{LEAST_NATS:g} nats, which hardly speak for a fake."
    )
    yield figure(promise_plot(peaks, threshold, others, curves))
    heads = [("asked, a day", "False alarms a day and stream.")]
    for name, _ in senses:
        heads += [(name, "Promised: false alarms a day and stream that are not exceeded.")]
        heads += [("threshold", "Evidence that raises an alert."), ("missing", "Real footage still needed.")]
    yield table(heads, lines)


def _promise_cells(promise: Promise) -> list[str]:
    if promise.kept:
        return [
            f"<td class=sure>{rate(promise.promised_per_day)}</td>",
            number_cell(promise.threshold, ".2f"),
            "<td></td>",
        ]
    return ["<td>no</td>", "<td></td>", f"<td>{duration(promise.missing_hours)}</td>"]


def _scores(calibration: Calibration, fitted: Fitted | None) -> Iterable[str]:
    if fitted is not None and fitted.uncurved is not None:
        yield paragraph(f"No curves: {fitted.uncurved}. The encoder's log-odds are taken as they are.")
        return
    if fitted is not None and fitted.reliability is not None:
        yield paragraph(
            "What curves say of crops whose session they were not made of, against how many of those were fakes, which "
            "were made of these faces. On the line is right; larger dots are more crops; both classes count the same."
        )
        yield figure(reliability_plot(fitted.reliability, fitted.by_quality))
    elif fitted is None and calibration.calibration_error is not None:
        yield paragraph(f"ECE {calibration.calibration_error:.3f} on sessions left out; the file keeps no more of it.")
    else:
        yield paragraph("How well they tell probabilities is not known: that needs two sessions.")
    counted = () if fitted is None else fitted.by_quality
    heads = [("quality from", "Quality of a crop, 0 to 1."), ("curve", "platt: a line; beta: bent at both ends.")]
    heads += [("to fake", "Slope where log-odds are high."), ("to real", "Slope where they are low.")]
    heads += [("offset", "Score of log-odds 0, for a line.")]
    heads += [("real", "Crops."), ("fake", "Crops."), ("ECE", "On sessions left out.")] if counted else []
    lines = []
    for number, curve in enumerate(calibration.curves):
        cells = [f"<th scope=row>{curve.least_quality:.2f}</th>", f"<td>{curve.kind}</td>"]
        cells += [number_cell(value, ".2f") for value in (curve.above, curve.below, curve.offset)]
        if counted:
            each = counted[number]
            cells += [number_cell(each.real, ",d"), number_cell(each.fake, ",d"), number_cell(each.error, ".3f")]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    yield table(heads, lines)


def _sessions(calibration: Calibration, asked: DecisionConfig, mine: Promise) -> Iterable[str]:
    sessions = calibration.sessions
    chosen: Sequence[int] = range(len(sessions))
    if len(sessions) > _MOST_SESSIONS:
        order = sorted(chosen, key=lambda number: max(sessions[number].peaks, default=-1.0), reverse=True)
        chosen = sorted(order[:_MOST_SESSIONS])
        yield paragraph(f"{_MOST_SESSIONS} of {len(sessions):,}: those whose faces came highest.")
    heads = [("session", ""), ("length", "That is counted."), ("faces", "Tracks."), ("scored", "Seconds with a crop.")]
    heads += [("highest", "Highest evidence of a face."), ("alerts", "That this session would have raised.")]
    lines = []
    for number in chosen:
        session = sessions[number]
        reached = sum(peak >= mine.threshold for peak in session.peaks)
        highest = f"{max(session.peaks):.2f}" if session.peaks else ""
        cells = [f"<th scope=row>{escape(session.name)}</th>", f"<td>{duration(calibration.session_hours)}</td>"]
        cells += [number_cell(len(session.peaks), ",d"), f"<td>{session.blocks:,} s</td>"]
        cells += [f"<td>{highest}</td>", f"<td class=sure>{min(reached, asked.max_alerts_per_session) or ''}</td>"]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    yield details(f"{count(len(sessions), 'session')} in a table", table(heads, lines), opened=len(sessions) <= 30)


def _bound_to(calibration: Calibration) -> Iterable[str]:
    yield paragraph("With another of these the service refuses it, and says both values.")
    encoder = calibration.encoder
    adapter = "none" if encoder.adapter is None else f"{encoder.adapter} ({str(encoder.adapter_sha256)[:16]})"
    rows: list[tuple[str, Any]] = [
        ("encoder", f"{encoder.weights} ({encoder.sha256[:16]})"),
        ("adapter", adapter),
        ("engine, precision", f"{encoder.engine}, {encoder.precision}"),
        ("session", duration(calibration.session_hours)),
        ("statistic", f"number {calibration.statistic}, correlation time {calibration.correlation_blocks:.1f} s"),
    ]
    rows += [(_setting(name), _value(value)) for name, value in sorted(calibration.policy.items())]
    rows += [("made by", f"gend-monitor {calibration.software}")]
    lines = [f"<tr><th scope=row>{escape(name)}</th>{text_cell(str(value))}</tr>" for name, value in rows]
    yield table([("setting", ""), ("made with", "")], lines, "names")


def _setting(name: str) -> str:
    return "ignore" if name == "ignore" else f"faces.{name}"


def _value(value: Any) -> str:
    if value == []:
        return "nothing"
    return f"{value:g}" if isinstance(value, float) else str(value)
