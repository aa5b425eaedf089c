"""Processes that do a part of the service's work, and may crash or hang without taking it with them."""

from monitor.processes.life import Life

__all__ = ["Life"]
