"""`gend-monitor alerts`: prints what the store has recorded, and what it records from now on."""

from __future__ import annotations

import asyncio

from monitor import payloads
from monitor.messages import Alert
from monitor.store import AlertReader

_LOOK_EVERY_S = 1.0
_PAGE = 200


async def print_alerts(store_url: str, *, limit: int, follow: bool, as_json: bool) -> None:
    """Prints the newest alerts, oldest first.

    Args:
        store_url: as `store.url` in the configuration; a service may be using it.
        limit: alerts of the past.
        follow: go on until interrupted.
        as_json: one JSON object per line, as published over MQTT.

    Raises:
        StoreError: there is no such database, or it cannot be read.
    """
    reader = await AlertReader.open(store_url)
    try:
        past = await reader.alerts(max(limit, 1))
        _print(past if limit else [], as_json)
        last = past[-1].id if past else None
        while follow:
            new = await (reader.alerts(_PAGE) if last is None else reader.alerts(_PAGE, after=last))
            _print(new, as_json)
            last = new[-1].id if new else last
            if len(new) < _PAGE:
                await asyncio.sleep(_LOOK_EVERY_S)
    finally:
        await reader.aclose()


def _print(alerts: list[Alert], as_json: bool) -> None:
    for alert in alerts:
        if as_json:
            print(payloads.alert(alert), flush=True)
        else:
            print(
                f"{alert.captured_at:%Y-%m-%d %H:%M:%S} {alert.stream} #{alert.sequence} {alert.type} {alert.track}: "
                f"{alert.verdict}, evidence {alert.evidence:.1f} of {alert.threshold:g}; {alert.reason}",
                flush=True,
            )
