"""Logins that last: an id in the browser, its fingerprint in the store, and how long it is worth anything.

A session ends when it was not used for as long as configured, and at the latest so many times as long after it began;
by logout; with a change of the password; and with its user. All of this is looked up at every request, so that it
holds from the next one on, whichever process has changed it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from monitor.access.accounts import AuditEntry, StoredSession, User
from monitor.access.fingerprints import csrf_token, fingerprint, new_session_id
from monitor.access.principal import Principal
from monitor.access.uses import TOUCH, Uses

_AT_MOST = 7
"""So many times its length without use a session lasts that is used all the time."""


class SessionRows(Protocol):
    """What sessions need of the store."""

    async def session(self, fingerprint: str) -> StoredSession | None:
        """The session with that fingerprint."""

    async def begin_session(self, fingerprint: str, user: User, entry: AuditEntry) -> bool:
        """Adds a session; False where the user is not as given any more."""

    async def touch_session(self, fingerprint: str, at: datetime) -> None:
        """Notes a use."""

    async def end_session(self, fingerprint: str, entry: AuditEntry) -> None:
        """Removes it."""

    async def forget_sessions(self, *, seen_before: datetime, began_before: datetime) -> None:
        """Removes those that are too old."""

    async def forget_audit(self, before: datetime) -> None:
        """Removes lines of the log that are too old."""


@dataclass(frozen=True, slots=True)
class Session:
    """A login that holds.

    Attributes:
        principal: who it is.
        csrf: what requests that change something must bring along besides the cookie.
    """

    principal: Principal
    csrf: str


class Sessions:
    """Begins, finds and ends sessions.

    Args:
        rows: where they are kept.
        length: how long a session lasts without use.
        audit_length: how long the audit log remembers; it is pruned when a session begins, as sessions are.
        now: with its zone.
    """

    def __init__(
        self, rows: SessionRows, length: timedelta, audit_length: timedelta, now: Callable[[], datetime]
    ) -> None:
        self._rows = rows
        self._length = length
        self._audit_length = audit_length
        self._now = now
        self._uses = Uses("sessions")

    async def begin(self, user: User, source: str) -> str | None:
        """A new session, told in the audit log.

        Args:
            user: with the hash of the password that was right.
            source: the client's address.

        Returns:
            Its id, which is nowhere else; None where the user has another password by now, or is gone.
        """
        now = self._now()
        await self._rows.forget_sessions(seen_before=now - self._length, began_before=now - self._length * _AT_MOST)
        await self._rows.forget_audit(now - self._audit_length)
        session_id = new_session_id()
        entry = AuditEntry(now, user.name, "login", None, source, "done")
        return session_id if await self._rows.begin_session(fingerprint(session_id), user, entry) else None

    async def find(self, session_id: str, *, note: bool = True) -> Session | None:
        """The session with that id, if it holds; notes that it was used, unless `note` is false."""
        stored = await self._rows.session(fingerprint(session_id))
        if stored is None:
            return None
        now = self._now()
        if now - stored.seen_at >= self._length or now - stored.began_at >= self._length * _AT_MOST:
            return None
        # A tenth, or sessions that are shorter than the grain of notes would end under whoever uses them.
        if note and now - stored.seen_at >= min(TOUCH, self._length / 10):
            await self._uses.note(self._rows.touch_session(stored.fingerprint, now))
        return Session(stored.user.principal, csrf_token(session_id))

    async def end(self, session_id: str, principal: Principal, source: str) -> None:
        """Ends a session, told in the audit log."""
        entry = AuditEntry(self._now(), principal.name, "logout", None, source, "done")
        await self._rows.end_session(fingerprint(session_id), entry)
