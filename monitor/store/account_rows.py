"""Rows of users, sessions, tokens and the audit log, as the messages of `monitor.access`, and back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from monitor.access import AuditEntry, StoredSession, Token, User
from monitor.store.reader import aware


def user_values(user: User) -> dict[str, Any]:
    """A row of `users`."""
    return {
        "name": user.name,
        "role": user.role,
        "streams": stream_list(user.streams),
        "password_hash": user.password_hash,
        "created_at": user.created_at.astimezone(UTC),
    }


def user_of(row: Row[Any]) -> User:
    """Of a row that has the columns of `users`."""
    return User(row.name, row.role, _streams(row.streams), row.password_hash, aware(row.created_at))


def session_of(row: Row[Any]) -> StoredSession:
    """Of a row that has the columns of `users` and `sessions`."""
    return StoredSession(row.fingerprint, user_of(row), aware(row.began_at), aware(row.seen_at))


def token_values(token: Token) -> dict[str, Any]:
    """A row of `api_tokens`."""
    return {
        "name": token.name,
        "fingerprint": token.fingerprint,
        "role": token.role,
        "streams": stream_list(token.streams),
        "owner": token.owner,
        "created_at": token.created_at.astimezone(UTC),
        "expires_at": None if token.expires_at is None else token.expires_at.astimezone(UTC),
        "used_at": None if token.used_at is None else token.used_at.astimezone(UTC),
    }


def token_of(row: Row[Any]) -> Token:
    """Of a row that has the columns of `api_tokens`."""
    return Token(
        row.name,
        row.fingerprint,
        row.role,
        _streams(row.streams),
        row.owner,
        aware(row.created_at),
        _maybe_aware(row.expires_at),
        _maybe_aware(row.used_at),
    )


def entry_values(entry: AuditEntry) -> dict[str, Any]:
    """A row of `audit`."""
    return {
        "at": entry.at.astimezone(UTC),
        "who": entry.who,
        "action": entry.action,
        "about": entry.about,
        "source": entry.source,
        "outcome": entry.outcome,
        "detail": entry.detail,
    }


def entry_of(row: Row[Any]) -> AuditEntry:
    """Of a row that has the columns of `audit`."""
    return AuditEntry(aware(row.at), row.who, row.action, row.about, row.source, row.outcome, row.detail)


def stream_list(streams: Iterable[str] | None) -> list[str] | None:
    """Names of streams as JSON; None: every one."""
    return None if streams is None else sorted(streams)


def _streams(kept: list[str] | None) -> frozenset[str] | None:
    return None if kept is None else frozenset(kept)


def _maybe_aware(moment: datetime | None) -> datetime | None:
    return None if moment is None else aware(moment)
