"""The durable half of the service: alerts, the outbox that delivers them to every sink, what people say, who may."""

from monitor.store.accounts import AccountStore
from monitor.store.added import AddedRow, AddedStreamStore, opened_added, read_added
from monitor.store.episodes import Episode, EpisodeFilter, EpisodeReader, EpisodeState
from monitor.store.outbox import OutboxRow, Store, StoreStatistics
from monitor.store.reader import AlertReader
from monitor.store.reviewed import Review, ReviewedEpisode
from monitor.store.reviews import ReviewStore, opened_reviews

__all__ = [
    "AccountStore",
    "AddedRow",
    "AddedStreamStore",
    "AlertReader",
    "Episode",
    "EpisodeFilter",
    "EpisodeReader",
    "EpisodeState",
    "OutboxRow",
    "Review",
    "ReviewStore",
    "ReviewedEpisode",
    "Store",
    "StoreStatistics",
    "opened_added",
    "opened_reviews",
    "read_added",
]
