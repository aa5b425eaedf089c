"""A stream that was added while the service ran: as one of the file, but bound to where it may lead."""

from __future__ import annotations

from monitor.reach_config import ReachConfig
from monitor.stream_config import StreamConfig


class AddedStreamConfig(StreamConfig):
    """One input that an admin has added; made of a `StreamConfig` by who merges them with those of the file.

    The bound travels with the stream into its worker's process, which holds it against every connection. What is sent
    by the API is checked as a `StreamConfig`, to which the field is unknown: nobody can widen it there.
    """

    within: ReachConfig

    @classmethod
    def bound(cls, stream: StreamConfig, within: ReachConfig) -> AddedStreamConfig:
        """The stream, bound."""
        return cls.model_validate({**dict(stream), "within": within})


def bound_of(stream: StreamConfig) -> ReachConfig | None:
    """Where a stream may lead; None: anywhere, as the file says so."""
    return stream.within if isinstance(stream, AddedStreamConfig) else None
