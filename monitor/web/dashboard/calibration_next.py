"""What to do so that a stream's alerts can be trusted, with the commands that do it."""

from __future__ import annotations

import math

from monitor.actions.promises import Asked, StreamPromise
from monitor.calibration_summary import duration
from monitor.web.dashboard.texts import part, text

_CONFIG = "--config monitor.yaml"


def what_next(promise: StreamPromise, asked: Asked, *, learns: bool) -> None:
    """Builds it; nothing where nothing is to be done.

    Args:
        promise: of the stream.
        asked: what is asked for.
        learns: whether the service learns what a calibration is made of.
    """
    if promise.calibrated and promise.drift.text is None:
        return
    with part("div", "next"):
        text("h3", "What to do")
        if promise.drift.text is not None:
            text("p", "What the camera sees has changed. If it stays like this, calibrate again on footage of now:")
        elif promise.missing_hours is None:
            hours = f"{math.ceil(asked.hours_needed):,} hours"
            text(
                "p", f"Calibrate it on footage of real people from this stream: {hours} at the least for what you ask."
            )
        else:
            text("p", f"Calibrate again with {duration(promise.missing_hours)} more footage of real people:")
        _commands(promise.stream, learns=learns)
        if promise.promised_per_day is not None and not promise.calibrated:
            _or_ask_for_less(promise.promised_per_day)


def _commands(stream: str, *, learns: bool) -> None:
    if learns:
        text("p", "From what the service has learnt, without a recording:", "small")
        _code(f"gend-monitor calibrate --learnt {_CONFIG} --out {stream}.json")
        text("p", "Or from recordings:", "small")
    else:
        text("p", "From recordings, each of which is one session:", "small")
    _code(f"gend-monitor calibrate RECORDINGS/ {_CONFIG} --stream {stream} --out {stream}.json")
    if not learns:
        text("p", "Or let the service learn while it watches, and calibrate by that later. In monitor.yaml:", "small")
        _code(f"decision:\n  learning: {stream}.learnt")
    text("p", "Then name the file in monitor.yaml, with the stream; a running service takes it over:", "small")
    _code(f"streams:\n  - name: {stream}\n    calibration: {stream}.json")


def _or_ask_for_less(promised: float) -> None:
    step = 10.0 ** math.floor(math.log10(promised))
    enough = math.ceil(promised / step - 1e-9) * step
    if enough > 1000:  # more than the setting takes
        return
    text("p", "Or accept more false alarms, and what there is will do:", "small")
    _code(f"decision:\n  false_alarms_per_stream_day: {enough:g}")


def _code(lines: str) -> None:
    with part("pre", "command"):
        text("code", lines)
