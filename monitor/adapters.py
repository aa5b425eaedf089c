"""Which fine-tune judges which stream; it may change while the service runs, and the encoder stays where it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from monitor.config import MonitorConfig


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

    def load(self, config: MonitorConfig) -> None:
        """Gives the encoder the adapters of another configuration: new ones, other files.

        One that is no longer named stays loaded until the next start: crops may wait that are to be judged by it.

        Raises:
            GendError: a file cannot be read or is of another encoder; nothing has changed.
        """
        files = {**self._files, **config.encoder.adapters}
        if self._load is not None:
            self._load(files)
        self._files = files

    def assign(self, config: MonitorConfig) -> None:
        """Has streams judged by the adapters that another configuration names for them, which are loaded."""
        self._of = _named(config)


def _named(config: MonitorConfig) -> dict[str, str]:
    return {stream.name: stream.adapter for stream in config.streams if stream.adapter is not None}
