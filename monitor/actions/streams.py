"""The streams that are watched: how they are, and what of them was counted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from monitor.access import Principal
from monitor.actions.known import check_known
from monitor.actions.promises import Promises, StreamPromise
from monitor.adapters import StreamAdapters
from monitor.config import MonitorConfig, StreamConfig
from monitor.figures import of_stream
from monitor.messages import Status
from monitor.redact import Redactor
from monitor.worker import WorkerStatistics


@dataclass(frozen=True, slots=True)
class StreamFigures:
    """What was counted of a stream, by the names of /metrics without their `gend_`.

    Attributes:
        values: counters and gauges.
        by_cause: what was lost or not looked at: of each counter, how often for which cause.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    by_cause: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StreamView:
    """One configured stream.

    Attributes:
        name: its name.
        url: without anything secret.
        status: as subscribers of MQTT get it.
        alerting: whether an alert stands on it.
        figures: what was counted.
        promise: what its alerts are worth.
        adapter: the fine-tune that judges it; None: the encoder as it is.
        adapter_sha256: of that one's file.
    """

    name: str
    url: str
    status: Status
    alerting: bool
    figures: StreamFigures
    promise: StreamPromise
    adapter: str | None
    adapter_sha256: str | None


class Watched(Protocol):
    """What is needed of the running service."""

    def statuses(self) -> Collection[Status]:
        """The state of every stream now."""

    def stream_statistics(self) -> Mapping[str, WorkerStatistics]:
        """What the worker of each stream has counted."""

    def alerting(self, stream: str) -> bool:
        """Whether an alert stands on the stream."""


class StreamActions:
    """Shows streams.

    Args:
        config: as it is now.
        watched: how streams are.
        promises: what each is promised.
        adapters: which fine-tune judges which.
    """

    def __init__(
        self, config: Callable[[], MonitorConfig], watched: Watched, promises: Promises, adapters: StreamAdapters
    ) -> None:
        self._config = config
        self._watched = watched
        self._promises = promises
        self._adapters = adapters

    async def all(self, principal: Principal) -> list[StreamView]:
        """Every stream that they may see, in the order of the configuration."""
        principal.require("viewer")
        return await self._views([stream for stream in self._config().streams if principal.sees(stream.name)])

    async def one(self, principal: Principal, stream: str) -> StreamView:
        """One stream.

        Raises:
            NotFoundError: there is none of that name.
        """
        principal.require("viewer", stream)
        configured = {each.name: each for each in self._config().streams}
        check_known(stream, lambda: configured)
        (view,) = await self._views([configured[stream]])
        return view

    async def _views(self, streams: list[StreamConfig]) -> list[StreamView]:
        redact = Redactor(self._config().secrets())
        statuses = {status.stream: status for status in self._watched.statuses()}
        statistics = self._watched.stream_statistics()
        shown = [stream for stream in streams if stream.name in statuses]
        promises = await self._promises.of(*(stream.name for stream in shown))
        return [
            StreamView(
                stream.name,
                redact(stream.url.get_secret_value()),
                statuses[stream.name],
                self._watched.alerting(stream.name),
                _figures(stream.name, statistics),
                promise,
                adapter := self._adapters.of(stream.name),
                self._adapters.sha256(adapter),
            )
            for stream, promise in zip(shown, promises, strict=True)
        ]


def _figures(stream: str, statistics: Mapping[str, WorkerStatistics]) -> StreamFigures:
    if stream not in statistics:
        return StreamFigures()
    values: dict[str, float] = {}
    by_cause: dict[str, dict[str, float]] = {"frames_dropped": {}, "crops_gated": {}}
    for sample in of_stream(stream, statistics[stream]):
        cause = dict(sample.labels).get("cause")
        if cause is None:
            values[sample.name] = sample.value
        else:
            by_cause.setdefault(sample.name, {})[cause] = sample.value
    return StreamFigures(values, by_cause)
