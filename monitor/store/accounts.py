"""Users, sessions, tokens and the audit log: opened beside a running service, as `ReviewStore` is.

Whatever changes here, its line in the audit log is in the same transaction: neither is there without the other. What
must hold between rows (an admin is left, a name is taken once) is seen to in that transaction too, so it holds whoever
else writes.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import delete, insert, select, update

from monitor.access import AuditEntry, LastAdminError, Role, StoredSession, Token, UnknownError, User
from monitor.store.account_rows import session_of, stream_list, token_of, token_values, user_of, user_values
from monitor.store.audited import AuditedStore, Change, tell
from monitor.store.database import uninterrupted
from monitor.store.tables import api_tokens, sessions, users


class AccountStore(AuditedStore):
    """Who may ask. Open it by `AccountStore.open`.

    Every method raises StoreError where the database cannot be read or written.
    """

    async def user(self, name: str) -> User | None:
        """The user of that name."""
        rows = await self._rows(select(users).where(users.c.name == name))
        return user_of(rows[0]) if rows else None

    async def users(self) -> list[User]:
        """All of them, by name."""
        return [user_of(row) for row in await self._rows(select(users).order_by(users.c.name))]

    @uninterrupted
    async def add_user(self, user: User, entry: AuditEntry) -> None:
        """Adds one.

        Raises:
            AccountError: the name is taken.
        """
        await self._insert(insert(users).values(user_values(user)), entry, f"there is a user {user.name} already")

    @uninterrupted
    async def set_role(self, name: str, role: Role, streams: frozenset[str] | None, entry: AuditEntry) -> None:
        """Changes what a user may do, and ends every session of theirs; of tokens it holds from the next request on.

        Raises:
            AccountError: there is no such user, or no admin would be left.
        """
        change = update(users).where(users.c.name == name).values(role=role, streams=stream_list(streams))
        await self._change_user(name, change, entry, stays_admin=role == "admin")

    @uninterrupted
    async def delete_user(self, name: str, entry: AuditEntry) -> None:
        """Removes a user with their sessions and tokens.

        Raises:
            AccountError: there is no such user, or no admin would be left.
        """
        await self._change_user(name, delete(users).where(users.c.name == name), entry, stays_admin=False)

    @uninterrupted
    async def set_password(self, name: str, password_hash: str, entry: AuditEntry) -> None:
        """Changes a password, which ends every session of that user.

        Raises:
            AccountError: there is no such user.
        """
        with self._database.errors():
            async with self._writing.begin() as connection:
                changed = await connection.execute(
                    update(users).where(users.c.name == name).values(password_hash=password_hash)
                )
                if not changed.rowcount:
                    raise UnknownError(f"there is no user {name}")
                await connection.execute(delete(sessions).where(sessions.c.user == name))
                await tell(connection, entry)

    @uninterrupted
    async def renew_hash(self, name: str, old: str, new: str) -> None:
        """Keeps the same password by another hash, unless it was changed meanwhile."""
        await self._write(
            update(users).where(users.c.name == name, users.c.password_hash == old).values(password_hash=new)
        )

    async def session(self, fingerprint: str) -> StoredSession | None:
        """The session with that fingerprint, whether or not it is too old, and its user as they are now."""
        both = select(sessions, users).join(users, users.c.name == sessions.c.user)
        rows = await self._rows(both.where(sessions.c.fingerprint == fingerprint))
        return session_of(rows[0]) if rows else None

    @uninterrupted
    async def begin_session(self, fingerprint: str, user: User, entry: AuditEntry) -> bool:
        """Adds a session, unless the user is gone or has another password by now; False then.

        Args:
            fingerprint: of its id.
            user: with the hash that was found right.
            entry: tells of it; its time is that of the beginning.
        """
        same = select(users.c.name).where(users.c.name == user.name, users.c.password_hash == user.password_hash)
        at = entry.at.astimezone(UTC)
        with self._database.errors():
            async with self._writing.begin() as connection:
                # Locked, or on PostgreSQL a password could change between this look and the commit.
                if await connection.scalar(same.with_for_update()) is None:
                    return False
                row = {"fingerprint": fingerprint, "user": user.name, "began_at": at, "seen_at": at}
                await connection.execute(insert(sessions).values(row))
                await tell(connection, entry)
        return True

    @uninterrupted
    async def touch_session(self, fingerprint: str, at: datetime) -> None:
        """Notes a request of the session."""
        seen = update(sessions).where(sessions.c.fingerprint == fingerprint, sessions.c.seen_at < at.astimezone(UTC))
        await self._write(seen.values(seen_at=at.astimezone(UTC)))

    @uninterrupted
    async def end_session(self, fingerprint: str, entry: AuditEntry) -> None:
        """Removes the session, if it is there."""
        await self._write(delete(sessions).where(sessions.c.fingerprint == fingerprint), entry)

    @uninterrupted
    async def forget_sessions(self, *, seen_before: datetime, began_before: datetime) -> None:
        """Removes sessions that are too old."""
        unused = sessions.c.seen_at < seen_before.astimezone(UTC)
        await self._write(delete(sessions).where(unused | (sessions.c.began_at < began_before.astimezone(UTC))))

    async def token(self, fingerprint: str) -> tuple[Token, User | None] | None:
        """The token with that fingerprint, whether or not it is expired, and its owner as they are now."""
        rows = await self._rows(select(api_tokens).where(api_tokens.c.fingerprint == fingerprint))
        if not rows:
            return None
        token = token_of(rows[0])
        owner = None if token.owner is None else await self.user(token.owner)
        # An owner who went in between took the token along.
        return None if owner is None and token.owner is not None else (token, owner)

    async def tokens(self) -> list[Token]:
        """All of them, by name."""
        return [token_of(row) for row in await self._rows(select(api_tokens).order_by(api_tokens.c.name))]

    @uninterrupted
    async def add_token(self, token: Token, entry: AuditEntry) -> None:
        """Adds one.

        Raises:
            AccountError: the name is taken, or its owner is gone.
        """
        await self._insert(
            insert(api_tokens).values(token_values(token)), entry, f"there is a token {token.name} already"
        )

    @uninterrupted
    async def touch_token(self, fingerprint: str, at: datetime) -> None:
        """Notes a use of the token."""
        used = update(api_tokens).where(api_tokens.c.fingerprint == fingerprint)
        await self._write(used.values(used_at=at.astimezone(UTC)))

    @uninterrupted
    async def revoke_token(self, name: str, entry: AuditEntry) -> None:
        """Removes the token.

        Raises:
            AccountError: there is none of that name.
        """
        if not await self._write(delete(api_tokens).where(api_tokens.c.name == name), entry):
            raise UnknownError(f"there is no token {name}")

    async def _change_user(self, name: str, change: Change, entry: AuditEntry, *, stays_admin: bool) -> None:
        with self._database.errors():
            async with self._writing.begin() as connection:
                # Locked, or on PostgreSQL the last two admins could remove each other.
                admins = set(
                    await connection.scalars(select(users.c.name).where(users.c.role == "admin").with_for_update())
                )
                if not stays_admin and admins == {name}:
                    raise LastAdminError(f"{name} is the only admin; make another one first")
                if not (await connection.execute(change)).rowcount:
                    raise UnknownError(f"there is no user {name}")
                await connection.execute(delete(sessions).where(sessions.c.user == name))
                await tell(connection, entry)
