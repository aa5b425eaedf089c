"""What a target is told at once: an alert as it is published over MQTT, or several as a digest."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass

from monitor import payloads
from monitor.messages import Alert

_MOST_LINES = 30
"""Alerts of a digest that are spelled out for people; the others are counted."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One message to a target.

    Attributes:
        alerts: in the order in which they were recorded; one or more.
    """

    alerts: tuple[Alert, ...]

    @property
    def id(self) -> str:
        """Of the alert; for a digest one that follows from its alerts, so that the same digest has the same."""
        if len(self.alerts) == 1:
            return self.alerts[0].id
        together = "\n".join(alert.id for alert in self.alerts)
        return f"digest-{hashlib.sha256(together.encode()).hexdigest()[:32]}"

    def json(self) -> str:
        """For programs: the alert, `schema: 1`, or `{"schema":1,"type":"digest","alerts":[…]}`."""
        if len(self.alerts) == 1:
            return payloads.alert(self.alerts[0])
        alerts = ",".join(payloads.alert(alert) for alert in self.alerts)
        return f'{{"schema":1,"type":"digest","id":{json.dumps(self.id)},"alerts":[{alerts}]}}'

    def title(self) -> str:
        """For people, in a few words."""
        if len(self.alerts) == 1:
            return f"{self.alerts[0].stream}: deepfake alert {self.alerts[0].type}"
        streams = ", ".join(dict.fromkeys(alert.stream for alert in self.alerts))
        counts = Counter(alert.type for alert in self.alerts)
        return f"{streams}: deepfake alerts, {', '.join(f'{count} {kind}' for kind, count in counts.items())}"

    def text(self) -> str:
        """For people, one line or more; what must be said of an alert's worth comes last."""
        if len(self.alerts) == 1:
            alert = self.alerts[0]
            lines = [f"{_line(alert)} ({alert.samples} crops)", f"alert {alert.alert_id}"]
        else:
            lines = [_line(alert) for alert in self.alerts[:_MOST_LINES]]
            if len(self.alerts) > _MOST_LINES:
                lines.append(f"… and {len(self.alerts) - _MOST_LINES} more, in the store of the monitor")
        caveats = [notice for alert in self.alerts for notice in alert.notices]
        if not all(alert.calibrated for alert in self.alerts):
            caveats.append("not calibrated: no false-alarm rate is promised")
        return "\n".join([*lines, *dict.fromkeys(caveats)])


def _line(alert: Alert) -> str:
    return (
        f"{alert.captured_at:%Y-%m-%d %H:%M:%S} UTC {alert.stream}, track {alert.track}: {alert.type}, "
        f"{alert.verdict}, evidence {alert.evidence:.1f} of {alert.threshold:g}; {alert.reason}"
    )
