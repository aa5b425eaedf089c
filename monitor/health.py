"""Whether everything that should run does: what /readyz answers, and what the system page shows."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Health:
    """What /readyz answers: ready when everything that should run does."""

    ready: bool
    encoder: str
    """`ok`, or why crops cannot be scored."""
    store: str
    """`ok`, or why alerts cannot be kept."""
    mqtt: str
    """`connected` or `disconnected`; alerts wait in the outbox meanwhile, so this does not unready the service."""
    streams: dict[str, str]
    """State of each stream by name; a camera that is down does not unready the service either."""
    notify: dict[str, str] = field(default_factory=dict)
    """`ok`, or why the last delivery failed, of each target by name; what is for it waits in the outbox as well."""
    shortages: tuple[str, ...] = ()
    """What there is too little of, as of time of the encoder; all runs, so this does not unready the service."""
