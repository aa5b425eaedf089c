"""The state of the service in plain words: what is well, what is not, and what that means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from monitor.actions.system import System
from monitor.changes import Changes

Tone = Literal["clear", "suspect", "fake"]

_STATES: dict[str, Tone] = {"live": "clear", "connecting": "suspect", "stalled": "fake", "stopped": "suspect"}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that may be well.

    Attributes:
        name: what it is.
        words: how it is.
        tone: how that is shown.
    """

    name: str
    words: str
    tone: Tone


def summary(system: System) -> Check:
    """Whether all is well, in one line."""
    faults = [check for check in checks(system) if check.tone != "clear"]
    streams = [name for name, state in system.health.streams.items() if _STATES.get(state) == "fake"]
    names = [check.name.lower() for check in faults] + [f"stream {name}" for name in streams]
    if not system.health.ready:
        return Check("Not ready", f"Something that must run does not: {', '.join(names) or 'see below'}.", "fake")
    if names:
        return Check("Something needs attention", f"Look at: {', '.join(names)}.", "suspect")
    return Check("All is well", "Everything that should run does.", "clear")


def checks(system: System) -> list[Check]:
    """Encoder, store, broker, targets of notifications."""
    health = system.health
    found = [
        _check("Encoder", health.encoder, "scores faces", "No face is scored"),
        _check("Store", health.store, "keeps alerts", "Alerts are not kept"),
    ]
    found += [Check("Shortage", words, "suspect") for words in health.shortages]
    if not system.store.reserve_held:
        found.append(Check("Disk", "nearly full: evidence is left out, so that alerts can be kept", "suspect"))
    if health.mqtt == "connected":
        found.append(Check("MQTT", "connected", "clear"))
    else:
        found.append(Check("MQTT", f"{health.mqtt}; alerts wait until the broker is back", "suspect"))
    for name, state in health.notify.items():
        words = "ok" if state == "ok" else f"the last delivery failed: {state}"
        found.append(Check(f"Notifications to {name}", words, "clear" if state == "ok" else "suspect"))
    return found


def _check(name: str, state: str, well: str, otherwise: str) -> Check:
    if state == "ok":
        return Check(name, well, "clear")
    return Check(name, f"{otherwise}: {state}", "fake")


def stream_tone(state: str) -> Tone:
    """How the state of a stream is shown."""
    return _STATES.get(state, "suspect")


def uptime(seconds: float) -> str:
    """How long it has run, in its two largest units."""
    minutes, whole = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (whole, "s")]
    first = next((number for number, (count, _) in enumerate(parts) if count), 3)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2])


def queues(system: System) -> list[tuple[str, str]]:
    """What waits, who listens and what was sent."""
    store, listeners, uploads = system.store, system.listeners, system.uploads
    found = [("Messages delivered", f"{store.delivered:,} since the start")]
    found += [(f"Waiting for {sink}", f"{count:,}") for sink, count in sorted(store.waiting.items())]
    missed = f", {listeners.dropped:,} news missed by slow ones" if listeners.dropped else ""
    refused = f", {listeners.refused:,} refused" if listeners.refused else ""
    found.append(("Listeners to /events", f"{listeners.subscribers}{missed}{refused}"))
    if uploads is None:
        found.append(("Files to be scored", "turned off: web.upload_mb is 0"))
    else:
        counts = {
            "done": uploads.done,
            "failed": uploads.failed,
            "cancelled": uploads.cancelled,
            "refused": uploads.refused,
        }
        said = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
        found.append(("Files to be scored", f"{uploads.waiting} waiting" + (f", {said}" if said else "")))
    return found


def taken_over(done: Changes) -> Iterator[str]:
    """What came of reading the configuration again."""
    if done.begun:
        yield f"Begun anew: {', '.join(stream.name for stream in done.begun)}."
    if done.gone:
        yield f"Watched no more: {', '.join(done.gone)}."
    if done.waiting:
        yield f"Waits for a restart: {', '.join(done.waiting)}."
    if not (done.begun or done.gone or done.waiting):
        yield "Read; no stream begins anew."
