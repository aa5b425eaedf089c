"""The durable half of the service: alerts, the outbox that delivers each of them to every sink, and what people say."""

from monitor.store.episodes import Episode, EpisodeFilter, EpisodeReader, EpisodeState
from monitor.store.outbox import OutboxRow, Store, StoreStatistics
from monitor.store.reader import AlertReader
from monitor.store.reviewed import Review, ReviewedEpisode
from monitor.store.reviews import ReviewStore, opened_reviews

__all__ = [
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
    "opened_reviews",
]
