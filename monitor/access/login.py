"""Logging in: slowed down for whoever guesses, and telling nobody which names there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from math import ceil
from typing import Literal, Protocol, get_args

from monitor.access.accounts import NAME, AuditEntry, User
from monitor.access.passwords import BusyError, Passwords
from monitor.access.sessions import Sessions
from monitor.access.throttle import Throttle
from monitor.errors import MonitorError

_WRONG = "name or password are wrong"

Outcome = Literal["done", "wrong", "throttled", "busy", "failed"]
"""Of a try to prove who one is: `throttled` and `busy` were not looked at, and `failed` because of the database."""


class LoginError(MonitorError):
    """Name or password are wrong; which of them is not said."""


class TooManyTriesError(MonitorError):
    """Wait before the next try.

    Attributes:
        wait_s: how long, in whole seconds.
    """

    def __init__(self, wait_s: float) -> None:
        self.wait_s = max(1, ceil(wait_s))
        super().__init__(f"too many tries; wait {self.wait_s} s before the next one")


class UserRows(Protocol):
    """What logging in needs of the store."""

    async def user(self, name: str) -> User | None:
        """The user of that name."""

    async def renew_hash(self, name: str, old: str, new: str) -> None:
        """Keeps the same password by another hash."""

    async def tell(self, entry: AuditEntry) -> None:
        """Adds a line to the audit log."""


class Login:
    """Proves who somebody is by their password.

    Args:
        rows: users, and the audit log.
        passwords: checks them.
        throttle: slows down who guesses.
        sessions: where a login leads to.
        now: with its zone.

    Attributes:
        tries: to prove who one is, by what came of them: counts since the start.
    """

    def __init__(
        self,
        rows: UserRows,
        passwords: Passwords,
        throttle: Throttle,
        sessions: Sessions,
        now: Callable[[], datetime],
    ) -> None:
        self._rows = rows
        self._passwords = passwords
        self._throttle = throttle
        self._sessions = sessions
        self._now = now
        self.tries = Counter[Outcome](dict.fromkeys(get_args(Outcome), 0))

    async def login(self, name: str, password: str, source: str) -> str:
        """Begins a session.

        Args:
            name: as it was typed; case and blanks around it do not matter.
            password: as it was typed.
            source: the client's address.

        Returns:
            The id of a new session.

        Raises:
            LoginError: name or password are wrong.
            TooManyTriesError: nothing was looked at.
            BusyError: nothing was looked at, as too many others log in.
            StoreError: the database does not answer.
        """
        user = await self.prove(name, password, source, action="login")
        session_id = await self._sessions.begin(user, source)
        if session_id is None:  # changed while we looked
            raise LoginError(_WRONG)
        return session_id

    async def prove(self, name: str, password: str, source: str, *, action: str) -> User:
        """The user of that name and password, with the hash that is kept now.

        Args:
            name: as it was typed.
            password: as it was typed.
            source: the client's address.
            action: for the audit log, which is told of failures only.

        Raises:
            as `login`.
        """
        name = name.strip().casefold()
        if (wait_s := self._throttle.begin(source, name)) > 0:
            self.tries["throttled"] += 1
            raise TooManyTriesError(wait_s)
        try:
            user = await self._rows.user(name) if NAME.fullmatch(name) else None
            checked = await self._passwords.check(None if user is None else user.password_hash, password)
        except MonitorError as error:  # whoever hangs up, however, has had their try
            self._throttle.give_back(source, name)
            self.tries["busy" if isinstance(error, BusyError) else "failed"] += 1
            raise
        if user is None or not checked.right:
            self.tries["wrong"] += 1
            # Of unknown names nothing is kept: now and then one is a password, typed into the wrong field.
            about = None if user is None else user.name
            detail = "no such user" if user is None else "wrong password"
            await self._rows.tell(AuditEntry(self._now(), "nobody", action, about, source, "failed", detail))
            raise LoginError(_WRONG)
        self._throttle.succeed(source, name)
        self.tries["done"] += 1
        if checked.renewed is not None:
            await self._rows.renew_hash(user.name, user.password_hash, checked.renewed)
            user = await self._rows.user(name) or user
        return user
