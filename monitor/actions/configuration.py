"""The configuration file, which a running service takes over as far as it can without a restart."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from gend.errors import GendError
from monitor.access import ForbiddenError, Principal
from monitor.actions.errors import ConflictError
from monitor.changes import Changes
from monitor.errors import MonitorError
from monitor.redact import redact

_log = logging.getLogger("monitor.service")


class ConfigurationActions:
    """Has the file taken over.

    Args:
        reload: reads the file and takes it over; None where the service was started from none.
    """

    def __init__(self, reload: Callable[[], Awaitable[Changes]] | None) -> None:
        self._reload = reload

    async def reload(self, principal: Principal) -> Changes:
        """Takes over what is in the file now, as SIGHUP does.

        Raises:
            ForbiddenError: it is about all streams, and they may see some only.
            ConflictError: nothing was taken over, and why.
        """
        principal.require("admin")
        if principal.streams is not None:
            raise ForbiddenError("the configuration is of all streams, and you may see some of them only")
        if self._reload is None:
            raise ConflictError("this service was not started from a configuration file")
        try:
            done = await self._reload()
        except (GendError, MonitorError) as error:
            raise ConflictError(f"nothing is taken over: {redact(str(error))}") from error
        _log.info("the configuration is taken over for %s", principal.name)
        return done
