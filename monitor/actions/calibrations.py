"""How far the alerts of each stream can be trusted."""

from __future__ import annotations

from monitor.access import Principal
from monitor.actions.known import StreamNames, check_known
from monitor.actions.promises import Asked, Curve, Promises, StreamPromise
from monitor.learning import LearningStatistics


class CalibrationActions:
    """Shows what is promised.

    Args:
        names: the configured streams.
        promises: what each is promised.
    """

    def __init__(self, names: StreamNames, promises: Promises) -> None:
        self._names = names
        self._promises = promises

    async def all(self, principal: Principal) -> list[StreamPromise]:
        """Of every stream that they may see, in the order of the configuration."""
        principal.require("viewer")
        return await self._promises.of(*(name for name in self._names() if principal.sees(name)))

    async def one(self, principal: Principal, stream: str) -> StreamPromise:
        """Of one stream.

        Raises:
            NotFoundError: there is none of that name.
        """
        principal.require("viewer", stream)
        check_known(stream, self._names)
        (promise,) = await self._promises.of(stream)
        return promise

    async def curve(self, principal: Principal, stream: str) -> Curve | None:
        """What could be promised of one stream at which threshold; None without a calibration.

        Raises:
            NotFoundError: there is none of that name.
        """
        principal.require("viewer", stream)
        check_known(stream, self._names)
        return await self._promises.curve(stream)

    def asked(self, principal: Principal) -> Asked:
        """What is asked for of every stream, and what it takes."""
        principal.require("viewer")
        return self._promises.asked()

    def learning(self, principal: Principal) -> LearningStatistics | None:
        """What was learnt of all streams together; None where nothing is, or they may see some of them only."""
        principal.require("viewer")
        return self._promises.learning() if principal.streams is None else None
