"""Finds out whose a token is that a program presents."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from monitor.access.accounts import Token, User
from monitor.access.fingerprints import TOKEN_PREFIX, fingerprint
from monitor.access.principal import Principal
from monitor.access.uses import TOUCH, Uses

_LONGEST = 100
"""Characters; what is longer is none of ours, and not worth a look."""


class TokenRows(Protocol):
    """What tokens need of the store."""

    async def token(self, fingerprint: str) -> tuple[Token, User | None] | None:
        """The token with that fingerprint, and its owner."""

    async def touch_token(self, fingerprint: str, at: datetime) -> None:
        """Notes a use."""


class Tokens:
    """Looks tokens up.

    Args:
        rows: where they are kept.
        now: with its zone.
    """

    def __init__(self, rows: TokenRows, now: Callable[[], datetime]) -> None:
        self._rows = rows
        self._now = now
        self._uses = Uses("tokens")

    async def find(self, secret: str, *, note: bool = True) -> Principal | None:
        """Who presents it; None where it is unknown, revoked or expired. Notes that it was used, if `note` is true."""
        if not secret.startswith(TOKEN_PREFIX) or len(secret) > _LONGEST:
            return None
        found = await self._rows.token(fingerprint(secret))
        if found is None:
            return None
        token, owner = found
        now = self._now()
        if token.expires_at is not None and now >= token.expires_at:
            return None
        if note and (token.used_at is None or now - token.used_at >= TOUCH):
            await self._uses.note(self._rows.touch_token(token.fingerprint, now))
        return token.principal(owner)
