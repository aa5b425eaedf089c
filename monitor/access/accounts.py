"""What is kept of those who may ask: users, their sessions, tokens of programs, and the log of who did what."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from monitor.access.principal import ROLES, Principal, Role
from monitor.errors import MonitorError

NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,62}")
TOKEN_BEFORE_NAME = "token:"  # noqa: S105 - what names of tokens begin with, where names of users stand too
_RESERVED = ("local", "cli", "token")

Outcome = Literal["done", "refused", "failed"]
"""What came of an action: done; not allowed; allowed, but it could not be (no such user, a wrong password)."""


class AccountError(MonitorError):
    """What was asked for cannot be done: a name is taken or unknown, a password too short, no admin would be left."""


class TakenError(AccountError):
    """There is one of that name already."""


class UnknownError(AccountError):
    """There is none of that name."""


class LastAdminError(AccountError):
    """Nobody would be left who may make another admin."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in.

    Attributes:
        name: unique; in lower case.
        role: what they may do.
        streams: names of those that they may see; None: every one.
        password_hash: argon2id, with its parameters and salt.
        created_at: when they were added.
    """

    name: str
    role: Role
    streams: frozenset[str] | None
    password_hash: str
    created_at: datetime

    @property
    def principal(self) -> Principal:
        """Who they are to every action."""
        return Principal(self.name, self.role, self.streams)


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A login that has not ended.

    Attributes:
        fingerprint: SHA-256 of the id that the browser holds; the id itself is nowhere kept.
        user: whose.
        began_at: when they logged in.
        seen_at: of the last request, to the minute.
    """

    fingerprint: str
    user: User
    began_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """What a program presents instead of a login.

    Attributes:
        name: unique; stands in the audit log as `token:<name>`.
        fingerprint: SHA-256 of the token; the token itself is shown once and nowhere kept.
        role: what it may do, and never more than its owner may.
        streams: names of those that it may see, and never more than its owner may see; None: every one.
        owner: the user who made it, with whom it goes; None where it was made at the machine itself.
        created_at: when.
        expires_at: from when on it is worth nothing; None: never.
        used_at: last use, to the minute; None: never.
    """

    name: str
    fingerprint: str
    role: Role
    streams: frozenset[str] | None
    owner: str | None
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None

    def principal(self, owner: User | None) -> Principal:
        """Who it is to every action: whoever made it can have lost a role, or sight of a stream, since."""
        role, streams = self.role, self.streams
        if owner is not None:
            role = min(role, owner.role, key=ROLES.index)
            streams = narrower(streams, owner.streams)
        return Principal(TOKEN_BEFORE_NAME + self.name, role, streams)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the log.

    Attributes:
        at: when.
        who: name of the principal; `nobody` where it was not known.
        action: such as `user.add` or `login`.
        about: user, token or stream that it was about; None: none.
        source: the client's address, or `cli`.
        outcome: whether it was done.
        detail: what else there is to know, in words; never a password or token.
    """

    at: datetime
    who: str
    action: str
    about: str | None
    source: str
    outcome: Outcome
    detail: str | None = None


def check_name(name: str) -> str:
    """A name for a user or token.

    Raises:
        AccountError: it is none.
    """
    if not NAME.fullmatch(name):
        raise AccountError("a name is up to 63 of a-z, 0-9, '.', '_', '@' and '-', and begins with a letter or digit")
    if name in _RESERVED:
        raise AccountError(f"the name {name} is taken by the service itself")
    return name


def check_scope(role: Role, streams: frozenset[str] | None) -> None:
    """Whether a role goes with so many streams.

    Raises:
        AccountError: an admin that sees only some could give itself the others.
    """
    if role == "admin" and streams is not None:
        raise AccountError("an admin sees every stream: leave the streams out, or choose the role operator")


def narrower(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """The streams that both may see; None: every one."""
    if one is None or other is None:
        return one if other is None else other
    return one & other
