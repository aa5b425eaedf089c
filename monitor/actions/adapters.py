"""The fine-tunes that the encoder has, and which streams they judge."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.access import Principal
from monitor.actions.known import StreamNames
from monitor.adapters import StreamAdapters


@dataclass(frozen=True, slots=True)
class AdapterView:
    """A fine-tune that is loaded.

    Attributes:
        name: as the configuration has it.
        sha256: of its file, as it was loaded.
        streams: those that it judges, as far as whoever asks may see them.
    """

    name: str
    sha256: str
    streams: tuple[str, ...]


class AdapterActions:
    """Shows fine-tunes.

    Args:
        names: the configured streams.
        adapters: which fine-tune judges which.
    """

    def __init__(self, names: StreamNames, adapters: StreamAdapters) -> None:
        self._names = names
        self._adapters = adapters

    def all(self, principal: Principal) -> list[AdapterView]:
        """Every fine-tune that is loaded."""
        principal.require("viewer")
        judged = {name: self._adapters.of(name) for name in self._names() if principal.sees(name)}
        return [
            AdapterView(name, sha256, tuple(stream for stream, adapter in judged.items() if adapter == name))
            for name, sha256 in self._adapters.loaded.items()
        ]
