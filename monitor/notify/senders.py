"""Ways to a target: what can send a notification, and how it says that it could not."""

from __future__ import annotations

from typing import Protocol

from monitor.clock import Clock, LiveClock
from monitor.errors import ConfigError
from monitor.notify.notification import Notification
from monitor.notify.push import Push
from monitor.notify.webhook import Webhook
from monitor.notify_config import TargetConfig


class Sender(Protocol):
    """Sends one notification at a time."""

    @property
    def about(self) -> str:
        """What kind of target it is, without credentials."""

    async def send(self, notification: Notification) -> None:
        """Returns once the target has taken it; raises `DeliveryError`."""

    async def aclose(self) -> None:
        """Lets go of connections and threads."""


def sender_for(target: TargetConfig, clock: Clock) -> Sender:
    """The way to a target.

    Raises:
        ConfigError: apprise does not understand its URL.
    """
    if target.webhook is not None:
        assert target.secret is not None  # TargetConfig has checked
        return Webhook(target.webhook.get_secret_value(), target.secret.get_secret_value(), clock)
    assert target.url is not None
    try:
        return Push(target.url.get_secret_value(), target.name)
    except ConfigError as error:
        raise ConfigError(f"notify.{target.name}.url: {error}") from error


def check_target(target: TargetConfig) -> str:
    """What kind of target it is, without credentials; nothing is sent. Raises as `sender_for`."""
    return sender_for(target, LiveClock()).about
