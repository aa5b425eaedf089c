"""Processes that do a part of the service's work, and may crash or hang without taking it with them."""

from monitor.processes.life import FIRST_BACKOFF_S, LONGEST_BACKOFF_S, WELL_S, Life, not_begun

__all__ = ["FIRST_BACKOFF_S", "LONGEST_BACKOFF_S", "WELL_S", "Life", "not_begun"]
