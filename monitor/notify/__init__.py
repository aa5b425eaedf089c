"""Tells people and programs of alerts, besides MQTT: by apprise, and by signed webhooks, each through the outbox."""

from monitor.notify.notifier import Notifier
from monitor.notify.senders import check_target, sender_for
from monitor.notify.target import TargetStatistics
from monitor.notify.trial import send_trial

__all__ = ["Notifier", "TargetStatistics", "check_target", "send_trial", "sender_for"]
