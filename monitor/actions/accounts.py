"""What may be done to users, tokens and the audit log, and by whom; every try leaves a line in that log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.access import AccountError, AuditEntry, ForbiddenError, Principal, Role, Token, User
from monitor.access.accounts import TOKEN_BEFORE_NAME, check_name, check_scope
from monitor.access.fingerprints import fingerprint, new_token
from monitor.access.login import Login
from monitor.access.passwords import Passwords, check_password
from monitor.actions.paging import MOST_PER_PAGE, Page, page, place
from monitor.store import AccountStore

Streams = frozenset[str] | None
"""Names of streams; None: every one."""


class Accounts:
    """Users and tokens, for people and programs that may change them.

    Each method takes who asks and from where (the client's address, or `cli`), and raises:
        ForbiddenError: they may not.
        AccountError: it cannot be done, in words for them.
        StoreError: the database does not answer.

    Args:
        store: where accounts are.
        passwords: hashes them.
        login: proves who changes their own password; None where nobody does, as on the command line.
        now: with its zone.
    """

    def __init__(
        self, store: AccountStore, passwords: Passwords, login: Login | None, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._login = login
        self._now = now

    async def users(self, who: Principal, source: str) -> list[User]:
        """All users, by name; for admins."""
        async with self._allowed(who, "admin", self._entry(who, "user.list", None, source)):
            return await self._store.users()

    async def add_user(
        self, who: Principal, source: str, name: str, *, role: Role, password: str, streams: Streams = None
    ) -> None:
        """Adds a user; for admins."""
        entry = self._entry(who, "user.add", name, source, _scope(role, streams))
        async with self._allowed(who, "admin", entry):
            check_name(name)
            check_scope(role, streams)
            check_password(password, name)
            hashed = await self._passwords.hash(password)
            await self._store.add_user(User(name, role, streams, hashed, self._now()), entry)

    async def set_role(self, who: Principal, source: str, name: str, *, role: Role, streams: Streams = None) -> None:
        """Changes what a user may do, and ends their sessions; for admins."""
        entry = self._entry(who, "user.role", name, source, _scope(role, streams))
        async with self._allowed(who, "admin", entry):
            check_scope(role, streams)
            await self._store.set_role(name, role, streams, entry)

    async def set_password(self, who: Principal, source: str, name: str, password: str) -> None:
        """Gives a user another password, and ends their sessions; for admins."""
        entry = self._entry(who, "user.password", name, source)
        async with self._allowed(who, "admin", entry):
            check_password(password, name)
            await self._store.set_password(name, await self._passwords.hash(password), entry)

    async def change_password(self, who: Principal, source: str, current: str, password: str) -> None:
        """Gives whoever asks another password, and ends all their sessions.

        The current one is asked for: who finds a browser that is logged in shall not become its owner. Guesses are
        slowed down as at the login, and raise as there.
        """
        entry = self._entry(who, "user.password", who.name, source)
        async with self._allowed(who, "viewer", entry):
            if self._login is None or await self._store.user(who.name) is None:
                raise AccountError("only users who log in have a password")
            check_password(password, who.name)
            await self._login.prove(who.name, current, source, action="user.password")
            await self._store.set_password(who.name, await self._passwords.hash(password), entry)

    async def delete_user(self, who: Principal, source: str, name: str) -> None:
        """Removes a user with their sessions and tokens; for admins."""
        entry = self._entry(who, "user.delete", name, source)
        async with self._allowed(who, "admin", entry):
            await self._store.delete_user(name, entry)

    async def tokens(self, who: Principal, source: str) -> list[Token]:
        """All tokens for admins; those of whoever asks for others."""
        async with self._allowed(who, "viewer", self._entry(who, "token.list", None, source)):
            every = await self._store.tokens()
            return every if who.may("admin") else [token for token in every if token.owner == who.name]

    async def create_token(
        self,
        who: Principal,
        source: str,
        name: str,
        *,
        role: Role,
        streams: Streams = None,
        lasts: timedelta | None = None,
    ) -> str:
        """Makes a token, for everybody, but no stronger than whoever asks.

        Args:
            who: its owner, where they are a user.
            source: the client's address, or `cli`.
            name: unique among tokens.
            role: what it may do.
            streams: those that it may see; None: every one that its owner may.
            lasts: for how long; None: until it is revoked.

        Returns:
            The token, which nobody can show again.
        """
        streams = who.streams if streams is None else streams
        entry = self._entry(who, "token.add", TOKEN_BEFORE_NAME + name, source, _scope(role, streams))
        async with self._allowed(who, role, entry):
            if who.name.startswith(TOKEN_BEFORE_NAME):
                raise ForbiddenError("a token cannot make tokens: it would outlive its own end")
            for stream in sorted(streams or ()):
                who.require("viewer", stream)
            check_name(name)
            check_scope(role, streams)
            if lasts is not None and lasts <= timedelta(0):
                raise AccountError("a token lasts longer than that")
            owner = None if await self._store.user(who.name) is None else who.name
            secret, now = new_token(), self._now()
            expires = None if lasts is None else now + lasts
            token = Token(name, fingerprint(secret), role, streams, owner, now, expires, None)
            await self._store.add_token(token, entry)
            return secret

    async def revoke_token(self, who: Principal, source: str, name: str) -> None:
        """Removes a token, for admins and its owner; it holds from the next request on."""
        entry = self._entry(who, "token.revoke", TOKEN_BEFORE_NAME + name, source)
        async with self._allowed(who, "viewer", entry):
            if not who.may("admin"):
                own = {token.name for token in await self._store.tokens() if token.owner == who.name}
                if name not in own:
                    raise ForbiddenError(f"there is no token {name}, or it is not yours")
            await self._store.revoke_token(name, entry)

    async def audit(self, who: Principal, source: str, limit: int) -> list[AuditEntry]:
        """The newest lines of the log, oldest first; for admins."""
        async with self._allowed(who, "admin", self._entry(who, "audit.read", None, source)):
            return await self._store.audit(limit)

    async def audit_page(self, who: Principal, source: str, limit: int, cursor: str | None) -> Page[AuditEntry]:
        """A page of the log, newest first; for admins. Raises RefusedError, too, where the cursor is none."""
        async with self._allowed(who, "admin", self._entry(who, "audit.read", None, source)):
            limit = min(limit, MOST_PER_PAGE)
            found = page(await self._store.audit_page(limit + 1, place(cursor)), limit, lambda line: line[0])
            return Page([entry for _, entry in found.items], found.following)

    @asynccontextmanager
    async def _allowed(self, who: Principal, role: Role, entry: AuditEntry) -> AsyncIterator[None]:
        """Lets an action begin, and tells of one that was refused or failed."""
        try:
            who.require(role)
            yield
        except ForbiddenError as error:
            await self._store.tell(replace(entry, outcome="refused", detail=str(error)))
            raise
        except AccountError as error:
            await self._store.tell(replace(entry, outcome="failed", detail=str(error)))
            raise

    def _entry(
        self, who: Principal, action: str, about: str | None, source: str, detail: str | None = None
    ) -> AuditEntry:
        # What was asked for in vain may be of any length.
        return AuditEntry(self._now(), who.name, action, None if about is None else about[:80], source, "done", detail)


def _scope(role: Role, streams: Streams) -> str:
    return role if streams is None else f"{role} of {', '.join(sorted(streams)) or 'no stream'}"
