"""The fine-tunes that the encoder has, and which streams they judge."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gend.errors import GendError
from monitor.access import Principal
from monitor.actions.errors import ConflictError
from monitor.actions.known import StreamNames
from monitor.adapters import StreamAdapters
from monitor.errors import MonitorError
from monitor.redact import one_line

_log = logging.getLogger("monitor.service")


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
    """Shows and changes fine-tunes.

    Args:
        names: the configured streams.
        adapters: which fine-tune judges which.
        reload: takes over those of the configuration file; None where there is no file to be read again.
    """

    def __init__(
        self, names: StreamNames, adapters: StreamAdapters, reload: Callable[[], Awaitable[list[str]]] | None
    ) -> None:
        self._names = names
        self._adapters = adapters
        self._reload = reload

    def all(self, principal: Principal) -> list[AdapterView]:
        """Every fine-tune that is loaded."""
        principal.require("viewer")
        judged = {name: self._adapters.of(name) for name in self._names() if principal.sees(name)}
        return [
            AdapterView(name, sha256, tuple(stream for stream, adapter in judged.items() if adapter == name))
            for name, sha256 in self._adapters.loaded.items()
        ]

    async def reload(self, principal: Principal) -> list[AdapterView]:
        """Takes over the adapters of the configuration file, as SIGHUP does.

        Raises:
            ConflictError: nothing was taken over, and why.
        """
        principal.require("admin")
        if self._reload is None:
            raise ConflictError("this service was not started from a configuration file")
        try:
            names = await self._reload()
        except (GendError, MonitorError) as error:
            raise ConflictError(f"nothing is taken over: {one_line(error)}") from error
        _log.info("adapters taken over for %s: %s", principal.name, ", ".join(names) or "none")
        return self.all(principal)
