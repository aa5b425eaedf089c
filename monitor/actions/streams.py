"""The streams that are watched: how they are, and what of them was counted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from monitor.access import Principal
from monitor.actions.known import check_known
from monitor.actions.promises import Promises, StreamPromise
from monitor.adapters import StreamAdapters
from monitor.config import MonitorConfig
from monitor.figures import of_stream
from monitor.kin import Kin
from monitor.messages import Status
from monitor.redact import Redactor
from monitor.stream_config import StreamConfig
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
    """A configured stream, or a call of one.

    Attributes:
        name: its name.
        url: without anything secret.
        status: as subscribers of MQTT get it.
        alerting: whether an alert stands on it.
        figures: what was counted.
        promise: what its alerts are worth.
        adapter: the fine-tune that judges it; None: the encoder as it is.
        adapter_sha256: of that one's file.
        call_of: the configured stream that it is a call of; None: it is none.
        calls: how many are on; None where it takes none.
    """

    name: str
    url: str
    status: Status
    alerting: bool
    figures: StreamFigures
    promise: StreamPromise
    adapter: str | None
    adapter_sha256: str | None
    call_of: str | None = None
    calls: int | None = None


class Watched(Protocol):
    """What is needed of the running service."""

    @property
    def kin(self) -> Kin:
        """Which streams are calls, and of which others."""

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
        """Every stream that they may see, in the order of the configuration, each followed by its calls."""
        principal.require("viewer")
        seen = [stream for stream in self._config().streams if principal.sees(stream.name)]
        kin = self._watched.kin
        return await self._views([(name, each) for each in seen for name in (each.name, *kin.made_after(each.name))])

    async def one(self, principal: Principal, stream: str) -> StreamView:
        """One stream.

        Raises:
            NotFoundError: there is none of that name.
        """
        principal.require("viewer", stream, self._watched.kin.of(stream))
        configured = {each.name: each for each in self._config().streams}
        after = self._watched.kin.of(stream)
        check_known(after, lambda: configured)
        views = await self._views([(stream, configured[after])])
        check_known(stream, lambda: [view.name for view in views])
        return views[0]

    async def _views(self, streams: list[tuple[str, StreamConfig]]) -> list[StreamView]:
        """Of each stream by its name and settings, which of a call are those of another; those that are watched."""
        redact = Redactor(self._config().secrets())
        statuses = {status.stream: status for status in self._watched.statuses()}
        statistics = self._watched.stream_statistics()
        shown = [(name, stream) for name, stream in streams if name in statuses]
        promises = await self._promises.of(*(name for name, _ in shown))
        return [
            StreamView(
                name,
                redact(stream.url.get_secret_value()),
                statuses[name],
                self._watched.alerting(name),
                _figures(name, statistics),
                promise,
                adapter := self._adapters.of(stream.name),
                self._adapters.sha256(adapter),
                call_of=None if name == stream.name else stream.name,
                calls=len(self._watched.kin.made_after(name)) if stream.many and name == stream.name else None,
            )
            for (name, stream), promise in zip(shown, promises, strict=True)
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
