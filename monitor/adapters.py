"""Which fine-tune judges which stream; it may change while the service runs, and the encoder stays where it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from monitor.config import MonitorConfig
from monitor.errors import ConfigError


class StreamAdapters:
    """The adapter of each stream. Any thread may ask; what is asked for is read in one step.

    Args:
        config: whose `encoder.adapters` the encoder has loaded, and whose streams name theirs; None: there are none.
        load: gives the encoder other files by name; raises where one does not fit, and then nothing has changed.
        loaded: SHA-256 of the files that the encoder has, by name.
    """

    def __init__(
        self,
        config: MonitorConfig | None = None,
        load: Callable[[Mapping[str, str]], None] | None = None,
        loaded: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._load = load
        self._loaded = loaded
        self._files: Mapping[str, str] = {} if config is None else config.encoder.adapters
        self._of = {} if config is None else _named(config)

    def of(self, stream: str) -> str | None:
        """The stream's adapter; None: the encoder as it is."""
        return self._of.get(stream)

    def sha256(self, adapter: str | None) -> str | None:
        """Of an adapter's file, as the encoder has it now; None for the encoder as it is."""
        return None if adapter is None else self._loaded().get(adapter)

    @property
    def loaded(self) -> Mapping[str, str]:
        """SHA-256 of the files that the encoder has now, by name."""
        return dict(self._loaded())

    def change(self, config: MonitorConfig) -> None:
        """Takes over the adapters of another configuration: new ones, other files, other streams.

        One that is no longer named stays loaded until the next start: crops may wait that are to be judged by it.

        Raises:
            GendError: a file cannot be read or is of another encoder; nothing has changed.
        """
        files = {**self._files, **config.encoder.adapters}
        if self._load is not None:
            self._load(files)
        self._files, self._of = files, _named(config)


class AdapterReload:
    """Takes over the adapters of the configuration file as it is now; all else of it waits for a restart.

    Args:
        adapters: what is changed.
        read_again: reads the configuration.
        calibrated: streams with a calibration, which is of the adapters that were loaded at the start.
        learning: whether scores are learnt from, which are of those adapters as well.
    """

    def __init__(
        self,
        adapters: StreamAdapters,
        read_again: Callable[[], MonitorConfig],
        *,
        calibrated: Sequence[str] = (),
        learning: bool = False,
    ) -> None:
        self._adapters = adapters
        self._read_again = read_again
        self._calibrated = calibrated
        self._learning = learning
        self._changing = asyncio.Lock()

    async def __call__(self) -> list[str]:
        """Returns the names of the adapters that the configuration has now.

        Raises:
            ConfigError: the configuration is wrong, or its adapters may not change.
            GendError: a file cannot be read or is of another encoder. In each case nothing has changed.
        """
        async with self._changing:
            config = await asyncio.to_thread(self._read_again)
            if self._calibrated:
                of = f"stream{'s' if len(self._calibrated) > 1 else ''} {', '.join(self._calibrated)}"
                raise ConfigError(f"the calibration of {of} is of the adapters that are loaded; restart to change them")
            if self._learning:
                raise ConfigError("decision.learning learns of the adapters that are loaded; restart to change them")
            await asyncio.to_thread(self._adapters.change, config)
        return list(config.encoder.adapters)


def _named(config: MonitorConfig) -> dict[str, str]:
    return {stream.name: stream.adapter for stream in config.streams if stream.adapter is not None}
