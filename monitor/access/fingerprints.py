"""Random secrets that are ours to hand out: ids of sessions, tokens of programs, and what is kept of them."""

from __future__ import annotations

import hashlib
import hmac
import secrets

TOKEN_PREFIX = "gm_"  # noqa: S105 - by which a token of ours is told from others, and found by scanners for leaks
_BYTES = 32


def new_session_id() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(_BYTES)


def new_token() -> str:
    """256 random bits, recognisable as ours."""
    return TOKEN_PREFIX + secrets.token_urlsafe(_BYTES)


def fingerprint(secret: str) -> str:
    """What is kept of a secret. One round is enough: nobody guesses 256 random bits, however fast they try."""
    return hashlib.sha256(secret.encode()).hexdigest()


def csrf_token(session_id: str) -> str:
    """What a page of this session proves itself by; it follows from the id, and the id not from it."""
    return hmac.new(session_id.encode(), b"gend-monitor csrf token", hashlib.sha256).hexdigest()


def same(given: str, expected: str) -> bool:
    """Compares in a time that tells nothing of where they differ."""
    return hmac.compare_digest(given.encode(), expected.encode())
