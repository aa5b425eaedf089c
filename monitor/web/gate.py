"""All that decides who asks over HTTP, put together from the configuration."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from argon2 import PasswordHasher

from monitor.access.login import Login
from monitor.access.passwords import Passwords
from monitor.access.sessions import Sessions
from monitor.access.throttle import Throttle
from monitor.access.tokens import Tokens
from monitor.actions.accounts import Accounts
from monitor.store import AccountStore
from monitor.web_config import WebConfig

_log = logging.getLogger("monitor.web")


@dataclass(frozen=True, slots=True)
class Gate:
    """Where `web.auth` is `users`: who is known, and how one becomes so."""

    sessions: Sessions
    tokens: Tokens
    login: Login
    accounts: Accounts


def _now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def opened_gate(
    config: WebConfig,
    store_url: str,
    *,
    hasher: PasswordHasher | None = None,
    now: Callable[[], datetime] = _now,
    clock_s: Callable[[], float] = time.monotonic,
) -> AsyncIterator[Gate | None]:
    """Whoever lets in, for as long as the context lasts; None where `web.auth` is null.

    Args:
        config: whether and how long users are logged in.
        store_url: of a database that the service has opened already.
        hasher: of passwords; by default argon2-cffi's parameters.
        now: the time of day, by which sessions and tokens end.
        clock_s: monotonic, by which guessing is slowed down.

    Raises:
        StoreError: the database cannot be read.
    """
    if config.auth is None:
        yield None
        return
    store = await AccountStore.open(store_url)
    passwords = Passwords(hasher)
    try:
        if not await store.users():
            _log.warning("nobody can log in yet; make the first admin: gend-monitor user add CONFIG NAME --role admin")
        length, audit_length = timedelta(hours=config.session_hours), timedelta(days=config.audit_days)
        sessions = Sessions(store, length, audit_length, now)
        login = Login(store, passwords, Throttle(clock_s), sessions, now)
        yield Gate(sessions, Tokens(store, now), login, Accounts(store, passwords, login, now))
    finally:
        passwords.close()
        await store.aclose()
