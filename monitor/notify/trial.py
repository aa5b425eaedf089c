"""Sends one notification that says it is a test, beside a service that may be running."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from monitor.clock import LiveClock
from monitor.errors import MonitorError
from monitor.messages import Alert, ModelIdentity
from monitor.notify.errors import DeliveryError
from monitor.notify.notification import Notification
from monitor.notify.senders import sender_for
from monitor.notify_config import TargetConfig

NOTICE = "this is a test of the notification, nothing was detected"


async def send_trial(target: TargetConfig) -> None:
    """Sends an alert without evidence that carries `NOTICE`, whatever the target's quiet hours.

    Raises:
        ConfigError: apprise does not understand its URL.
        MonitorError: it could not be delivered, and why.
    """
    sender = sender_for(target, LiveClock())
    try:
        await sender.send(Notification((_trial_alert(),)))
    except DeliveryError as error:
        raise MonitorError(f"notify.{target.name}: {error}") from error
    finally:
        await sender.aclose()


def _trial_alert() -> Alert:
    now = datetime.now(UTC)
    return Alert(
        id=uuid4().hex,
        alert_id=uuid4().hex,
        type="cleared",
        reason="test",
        stream="test",
        track="0-0-0",
        at=now,
        captured_at=now,
        first_seen=now,
        verdict="inconclusive",
        evidence=0.0,
        threshold=0.0,
        samples=0,
        mean_probability=None,
        false_alarms_target_per_stream_day=0.0,
        false_alarms_promised_per_stream_day=None,
        calibrated=False,
        model=ModelIdentity("none", "", None, "none", "none"),
        notices=(NOTICE,),
    )
