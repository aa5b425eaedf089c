"""What an alert says, in words for somebody who has never read what evidence is."""

from __future__ import annotations

from monitor.calibration_summary import count, rate
from monitor.messages import Alert, Answer
from monitor.store import Episode
from monitor.web.dashboard.words import in_a_sentence

ANSWERS: dict[Answer, str] = {
    "right": "Right: it was manipulated",
    "wrong": "Wrong: a real face",
    "unsure": "Unsure",
}
REASONS = {"restarted": "the service was restarted"}
"""Those that need more words than they have."""


def reason(alert: Alert) -> str:
    """Why a message was sent."""
    return REASONS.get(alert.reason, alert.reason)


def happened(episode: Episode) -> str:
    """What was seen, in two sentences."""
    raised, peak = episode.raised, max(episode.peak_evidence, episode.raised.evidence)
    seen = f"Face {raised.track} on {raised.stream} was judged {in_a_sentence(raised.verdict)}."
    grew = "" if peak <= raised.evidence else f" and later came to {peak:.1f}"
    reached = f"The evidence against it reached {raised.evidence:.1f}{grew}"
    return f"{seen} {reached}; an alert is raised at {raised.threshold:.1f}."


def scored(alert: Alert) -> str:
    """What it was judged by, in one sentence."""
    pictures = count(alert.samples, "picture")
    if alert.mean_probability is None:
        return f"{pictures} of it went into that."
    return (
        f"{pictures} of it went into that; the encoder took them for manipulated with a probability of "
        f"{alert.mean_probability:.0%} on average."
    )


def worth(alert: Alert) -> str:
    """How far it can be trusted, in one sentence."""
    target, promised = alert.false_alarms_target_per_stream_day, alert.false_alarms_promised_per_stream_day
    if promised is None:
        return (
            "Nobody has measured how often this stream raises a false alarm, so what this alert is worth is not known."
        )
    if alert.calibrated:
        promise = f"at most {rate(promised)} false alarms a day are promised ({target:g} asked for)"
        return f"This stream is calibrated: {promise}."
    if promised <= target:
        return (
            f"At most {rate(promised)} false alarms a day were promised, but the promise did not hold at that moment."
        )
    return f"At most {rate(promised)} false alarms a day can be promised, which is more than the {target:g} asked for."


def said(episode: Episode) -> str:
    """What people say of it, in a few words."""
    reviewed = episode.reviewed
    if reviewed is None:
        return "Not reviewed"
    return "Contradicting" if reviewed.contradiction else reviewed.answer.capitalize()
