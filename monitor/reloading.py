"""Takes another configuration over while the service runs: only what has changed begins anew."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from gend.adapter import file_sha256
from gend.errors import GendError
from monitor.added import AddedStreams, Merged
from monitor.calibrations import StreamCalibrations, check_calibrations, read_calibrations
from monitor.changes import Changes, applicable, changes
from monitor.config import MonitorConfig
from monitor.config_watch import ConfigWatch
from monitor.decision import Encoder
from monitor.errors import ConfigError, MonitorError
from monitor.ingest import check_protocols
from monitor.pipeline import Pipeline
from monitor.redact import redact
from monitor.steps import Parts
from monitor.stream_config import StreamConfig

_log = logging.getLogger("monitor.service")

_STOP_S = 5.0


@dataclass(frozen=True, slots=True)
class ConfigSource:
    """Where other configurations come from."""

    watch: ConfigWatch
    read: Callable[[], MonitorConfig]
    """Reads and checks the file; raises ConfigError."""
    added: AddedStreams | None = None
    """What is watched besides the streams of the file; None: nothing."""


class StreamKeeper(Protocol):
    """What else knows of the streams."""

    async def prepare(self, config: MonitorConfig) -> None:
        """Gets ready for the streams of a configuration, without any effect yet.

        Raises:
            MonitorError: it cannot be taken over; nothing has changed.
        """

    async def begin_streams(self, streams: Iterable[str]) -> None:
        """These are watched in a moment.

        Raises:
            MonitorError: what they raised before cannot be counted; they are watched all the same.
        """

    async def end_calls(self, streams: Collection[str]) -> None:
        """These are about to be watched no more, or anew: what is made after them ends before."""

    def end_streams(self, streams: Iterable[str]) -> None:
        """These are watched no more."""


class Reloader:
    """Holds the configuration that is in force.

    Args:
        config: the one that the pipeline runs by.
        parts: what the pipeline is made of.
        pipeline: watches the streams.
        keeper: told of streams that come and go.
    """

    def __init__(self, config: MonitorConfig, parts: Parts, pipeline: Pipeline, keeper: StreamKeeper) -> None:
        self._config = config
        self._parts = parts
        self._pipeline = pipeline
        self._keeper = keeper
        self._one_at_a_time = asyncio.Lock()

    @property
    def config(self) -> MonitorConfig:
        """By which streams are watched and judged now."""
        return self._config

    @property
    def standing(self) -> asyncio.Lock:
        """Held, nothing is taken over meanwhile."""
        return self._one_at_a_time

    def stream(self, name: str) -> StreamConfig | None:
        """A stream that is configured now."""
        return next((stream for stream in self._config.streams if stream.name == name), None)

    @property
    def parts(self) -> Parts:
        """What they are watched and judged with."""
        return self._parts

    async def follow(self, source: ConfigSource) -> None:
        """Takes over what is in the file whenever there is a reason to read it, until cancelled."""
        while True:
            await source.watch.changed()
            try:
                done = await self.reload(source)
            except (GendError, MonitorError) as error:
                for line in str(error).splitlines():
                    _log.error("the configuration is not taken over: %s", redact(line))
            else:
                _log.info("the configuration is taken over: %s", in_words(done))

    async def reload(self, source: ConfigSource) -> Changes:
        """Reads the file and takes it over, with what was added.

        Raises:
            ConfigError: it is wrong.
            StoreError: what was added cannot be read.
            as `take_over`.
        """
        async with self._one_at_a_time:
            file = await asyncio.to_thread(source.read)
            if source.added is None:
                return await self._take_over(file)
            return await self._take_over_merged(source.added, await source.added.merge(file))

    async def amend(self, added: AddedStreams) -> Changes:
        """Takes over what was added since, or is no more; the file is not read. Raises as `reload`."""
        async with self._one_at_a_time:
            return await self._take_over_merged(added, await added.merge(added.in_force.file))

    async def _take_over_merged(self, added: AddedStreams, whole: Merged) -> Changes:
        done = await self._take_over(whole.config)
        added.take_over(whole)
        return done

    async def take_over(self, wanted: MonitorConfig) -> Changes:
        """Ends, begins and judges streams as another configuration says.

        Args:
            wanted: the whole of it, checked.

        Returns:
            What was done, and what waits for a restart.

        Raises:
            ConfigError: a calibration does not fit, or streams are being learnt from.
            GendError: an adapter cannot be used. In both cases nothing has changed.
        """
        async with self._one_at_a_time:
            return await self._take_over(wanted)

    async def _take_over(self, wanted: MonitorConfig) -> Changes:
        config = applicable(self._config, wanted)
        if config != self._config and self._config.decision.learning is not None:
            raise ConfigError("decision.learning: learns of the streams as they are; restart to change them")
        check_protocols(config.streams)
        calibrations = await asyncio.to_thread(self._calibrations, config)
        await self._keeper.prepare(config)
        # Read last, for it alone has an effect: the encoder has the new files from here on.
        await asyncio.to_thread(self._parts.adapters.load, config)
        recalibrated = {
            stream.name
            for stream in config.streams
            if calibrations.of(stream.name) != self._parts.calibrations.of(stream.name)
        }
        done = changes(self._config, wanted, recalibrated)
        await self._apply(config, calibrations, done)
        return done

    async def _apply(self, config: MonitorConfig, calibrations: StreamCalibrations, done: Changes) -> None:
        watched = {stream.name for stream in self._config.streams}
        await self._keeper.end_calls({*done.gone, *(stream.name for stream in done.begun)})
        ended = [*done.gone, *(stream.name for stream in done.begun if stream.name in watched)]
        await self._pipeline.unwatch(ended, "configuration changed", _STOP_S)
        self._keeper.end_streams(done.gone)
        self._config, self._parts = config, replace(self._parts, calibrations=calibrations)
        self._parts.adapters.assign(config)
        self._pipeline.take_over(config, self._parts)
        try:
            await self._keeper.begin_streams([stream.name for stream in done.begun])
        except MonitorError as error:  # a store that is away; not to watch would be worse than to count anew
            _log.error("alerts that streams raised before they began anew may not count: %s", redact(str(error)))
        for stream in done.begun:
            await self._pipeline.watch(stream)

    def _calibrations(self, config: MonitorConfig) -> StreamCalibrations:
        calibrations = read_calibrations(config)

        def encoder_of(stream: StreamConfig) -> Encoder:
            # Of the file as it is: the encoder has not read it yet.
            sha256 = None if stream.adapter is None else file_sha256(config.encoder.adapters[stream.adapter])
            return Encoder.of(replace(self._parts.model, adapter=stream.adapter), sha256)

        check_calibrations(calibrations, config, encoder_of, self._parts.face_detector)
        return calibrations


def in_words(done: Changes) -> str:
    """What was done, in one line."""
    said = []
    if done.begun:
        said.append(f"begun anew: {', '.join(stream.name for stream in done.begun)}")
    if done.gone:
        said.append(f"ended: {', '.join(done.gone)}")
    if done.waiting:
        said.append(f"waits for a restart: {', '.join(done.waiting)}")
    return "; ".join(said) or "no stream begins anew"
