"""The durable half of the service: alerts, and the outbox that delivers each of them to every sink."""

from monitor.store.outbox import OutboxRow, Store, StoreStatistics
from monitor.store.reader import AlertReader

__all__ = ["AlertReader", "OutboxRow", "Store", "StoreStatistics"]
