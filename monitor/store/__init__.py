"""The durable half of the service: alerts, the outbox that delivers them to every sink, what people say, who may."""

from monitor.store.accounts import AccountStore
from monitor.store.outbox import OutboxRow, Store, StoreStatistics
from monitor.store.reader import AlertReader
from monitor.store.reviewed import Review, ReviewedEpisode
from monitor.store.reviews import ReviewStore

__all__ = [
    "AccountStore",
    "AlertReader",
    "OutboxRow",
    "Review",
    "ReviewStore",
    "ReviewedEpisode",
    "Store",
    "StoreStatistics",
]
