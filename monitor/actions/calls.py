"""Beginning a call: a stream of one's own, and the token to publish to it."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.access import ForbiddenError, Principal
from monitor.actions.errors import BusyError, ConflictError, NotFoundError
from monitor.actions.publishing import CallKeeper, Proof, Publishing, PublishingError
from monitor.calls import FullError, NoCallsError, new_call_token


@dataclass(frozen=True, slots=True)
class BegunCall:
    """A call that waits for its publisher.

    Attributes:
        name: of its stream.
        call_of: the configured stream by whose settings it is judged.
        token: by which, for as long as the call lasts, its caller publishes. Told this once.
        unused_s: seconds within which they must.
    """

    name: str
    call_of: str
    token: str
    unused_s: float


class CallActions:
    """Begins calls.

    Args:
        publishing: knows who may publish; None: nobody.
        calls: begins them.
    """

    def __init__(self, publishing: Publishing | None, calls: CallKeeper | None) -> None:
        self._publishing = publishing
        self._calls = calls

    async def begin(self, principal: Principal, stream: str, token: str | None = None) -> BegunCall:
        """Begins a call of a stream that takes some. It is the principal's, and of whoever they give its token.

        Args:
            principal: who asks.
            stream: the configured one.
            token: the stream's own, for who does not prove themselves by logging in.

        Raises:
            NotFoundError: nobody publishes to a stream of that name.
            ForbiddenError: they may not.
            ConflictError: the stream takes one publisher at a time, and no calls.
            BusyError: as many calls are on as may.
        """
        principal.require("operator", stream)
        if self._publishing is None or self._calls is None:
            raise NotFoundError(f"there is no stream {stream} to publish to")
        try:
            self._publishing.authorise(stream, Proof(principal, token))
        except PublishingError as error:
            if error.cause == "unknown":
                raise NotFoundError(str(error)) from error
            raise ForbiddenError(str(error)) from error
        own = new_call_token()
        try:
            call = await self._calls.begin(stream, principal, own)
        except NoCallsError as error:
            raise ConflictError(f"{error}: publish to it, at /whip/{stream}") from error
        except FullError as error:
            raise BusyError(str(error)) from error
        return BegunCall(call.name, stream, own, self._calls.unused_s)
