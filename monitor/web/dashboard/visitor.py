"""Who looks at a page. Pages stay open for days: who may do what is asked anew each time that something is done."""

from __future__ import annotations

from fastapi import Request

from monitor.access import LOCAL, ForbiddenError, Principal
from monitor.web.asking import login_address
from monitor.web.gate import Gate
from monitor.web.identify import known_by


class Visitor:
    """Whoever has asked for a page.

    Args:
        request: by which they did.
        gate: knows users; None where there are none.

    Attributes:
        name: of them, as it was then.
        csrf: token of their session, for forms and requests of the page; empty where there is no session.
        locked: whether there are users at all.
        login: address at which they log in, and come back from to this page.
    """

    def __init__(self, request: Request, gate: Gate | None) -> None:
        self._scope = request.scope
        self._gate = gate
        who = request.scope.get("principal")
        self.name = who.name if isinstance(who, Principal) else ""
        self.csrf: str = request.scope.get("csrf", "")
        self.locked = gate is not None
        self.login = login_address(request.url.path, request.url.query)

    async def principal(self, *, note: bool = True) -> Principal:
        """Who they are now, for an action.

        Args:
            note: whether they do something themselves, by which their login lasts longer.

        Raises:
            ForbiddenError: their login has ended, or they are no user any more.
            StoreError: the database does not answer.
        """
        if self._gate is None:
            return LOCAL
        who = (await known_by(self._gate, self._scope, note=note)).get("principal")
        if not isinstance(who, Principal) or who.name != self.name:
            raise ForbiddenError("your login has ended: log in again")
        return who
