"""Processes that do a part of the service's work, and may crash or hang without taking it with them."""

from monitor.processes.life import Life, not_begun
from monitor.processes.supervision import supervise, usual_backoff

__all__ = ["Life", "not_begun", "supervise", "usual_backoff"]
