"""Passwords: what is a good enough one, how it is kept, and how one is checked.

argon2id by argon2-cffi. One check takes tens of milliseconds and 64 MiB on purpose, so checks run in two threads of
their own, and no more than a few wait for these: a flood of logins costs its senders an answer, not us our memory.
"""

from __future__ import annotations

import asyncio
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from monitor.access.accounts import AccountError
from monitor.errors import MonitorError

SHORTEST = 12
LONGEST = 256
_THREADS = 2
_WAITING = 16

T = TypeVar("T")


class BusyError(MonitorError):
    """Too many passwords wait to be checked; ask again in a moment."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a check.

    Attributes:
        right: whether it is the password.
        renewed: a hash by the parameters of today, to be kept in place of the old one; None where that is of today.
    """

    right: bool
    renewed: str | None = None


def check_password(password: str, name: str) -> None:
    """Whether it may become somebody's password.

    Length is what counts (NIST SP 800-63B); there are no rules of digits and signs, which make passwords worse.

    Raises:
        AccountError: it is too short, too long, or the user's name.
    """
    plain = _normal(password)
    if len(plain) < SHORTEST:
        raise AccountError(f"a password has at least {SHORTEST} characters")
    if len(plain) > LONGEST:
        raise AccountError(f"a password has at most {LONGEST} characters")
    # `annaanna…` is a name too.
    if not plain.casefold().replace(name.casefold(), "").strip():
        raise AccountError("a password is not the user's name")
    if len(set(plain)) < 4:
        raise AccountError("a password has at least 4 different characters")


class Passwords:
    """Hashes and checks passwords.

    Args:
        hasher: with the parameters of today; by default those of RFC 9106 for machines with little memory.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(_THREADS, "password")
        self._places = threading.BoundedSemaphore(_THREADS + _WAITING)
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """What is kept of a password.

        Raises:
            BusyError: too many wait already.
        """
        return await self._run(password, self._hasher.hash)

    async def check(self, kept: str | None, password: str) -> Checked:
        """Whether it is the password of which this is kept.

        Args:
            kept: None where there is no such user, which takes as long as a wrong password.
            password: what was given.

        Raises:
            BusyError: too many wait already.
        """
        if len(password) > LONGEST:  # nobody has it, and to hash a megabyte is what an attacker would like
            password = ""
        return await self._run(password, lambda plain: self._check(kept, plain))

    def close(self) -> None:
        """Ends the threads; what waits for them is given up."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _check(self, kept: str | None, plain: str) -> Checked:
        if self._nobodys is None:  # whoever is the first pays for it, known or not
            self._nobodys = self._hasher.hash("nobody has this password")
        if kept is None:
            self._verify(self._nobodys, plain)
            return Checked(right=False)
        if not self._verify(kept, plain):
            return Checked(right=False)
        return Checked(True, self._hasher.hash(plain) if self._hasher.check_needs_rehash(kept) else None)

    def _verify(self, kept: str, plain: str) -> bool:
        try:
            return self._hasher.verify(kept, plain)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, password: str, work: Callable[[str], T]) -> T:
        if not self._places.acquire(blocking=False):
            raise BusyError("too many logins at once; try again in a moment")
        working = self._threads.submit(work, _normal(password))
        # Who hangs up does not free the thread that works for them.
        working.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(working)


def _normal(password: str) -> str:
    """The same password however a keyboard composes its letters (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)
