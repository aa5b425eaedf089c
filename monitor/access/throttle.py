"""Slows down whoever guesses passwords: per address, and per user name, with delays that grow; in bounded memory.

A try counts as failed from its beginning until it has succeeded, so that a thousand at once are a thousand. While
somebody has to wait, tries are refused without a look at the password, and do not make the wait longer.

Whoever fails on a name makes its owner wait too. So that wait is short, and does not hold where that user has
logged in before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network

_FREE_TRIES = 5
_ADDRESS_AT_MOST_S = 900.0
_NAME_AT_MOST_S = 30.0
_FORGET_S = 3600.0
_KEPT = 10_000
_V6_HOME = 64
"""Prefix of IPv6 that one customer has: within it, addresses are free."""


@dataclass(slots=True)
class _Record:
    failures: int = 0
    wait_until_s: float = 0.0


@dataclass(slots=True)
class _Table:
    """Failures by key; of the many, those longest without one are forgotten."""

    at_most_s: float
    records: OrderedDict[str, _Record] = field(default_factory=OrderedDict)

    def wait_s(self, key: str, now_s: float) -> float:
        record = self.records.get(key)
        if record is None:
            return 0.0
        if now_s - record.wait_until_s > _FORGET_S:
            del self.records[key]
            return 0.0
        return max(0.0, record.wait_until_s - now_s)

    def fail(self, key: str, now_s: float) -> None:
        record = self.records.setdefault(key, _Record())
        record.failures += 1
        over = record.failures - _FREE_TRIES
        # 1 s, 2 s, 4 s, …; the exponent is bounded because the number of failures is not.
        delay_s = min(self.at_most_s, 2.0 ** min(over, 20)) if over >= 0 else 0.0
        record.wait_until_s = max(record.wait_until_s, now_s + delay_s)
        self.records.move_to_end(key)
        while len(self.records) > _KEPT:
            self.records.popitem(last=False)

    def forgive(self, key: str) -> None:
        self.records.pop(key, None)

    def give_back(self, key: str) -> None:
        record = self.records.get(key)
        if record is not None:
            record.failures = max(0, record.failures - 1)


class Throttle:
    """Who has to wait before the next try.

    Args:
        clock_s: monotonic.
    """

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._addresses = _Table(_ADDRESS_AT_MOST_S)
        self._names = _Table(_NAME_AT_MOST_S)
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def begin(self, address: str, name: str) -> float:
        """Begins a try, unless it has to wait.

        Args:
            address: of the client.
            name: of the user, as it was given.

        Returns:
            Seconds to wait; 0: the try has begun, and counts as failed until `succeed`.
        """
        now_s, home, name = self._clock_s(), _home(address), name[:64]  # a name may be as long as a body
        waits_s = [self._addresses.wait_s(home, now_s)]
        known = (home, name) in self._known
        if not known:
            waits_s.append(self._names.wait_s(name, now_s))
        if (wait_s := max(waits_s)) > 0:
            return wait_s
        self._addresses.fail(home, now_s)
        if not known:
            self._names.fail(name, now_s)
        return 0.0

    def succeed(self, address: str, name: str) -> None:
        """The try was right: what failed on this name is forgiven.

        What else failed from this address is not, or whoever has an account of their own could begin anew by it.
        """
        home, name = _home(address), name[:64]
        self._addresses.give_back(home)
        self._names.forgive(name)
        self._known[(home, name)] = None
        self._known.move_to_end((home, name))
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)

    def give_back(self, address: str, name: str) -> None:
        """The try came to nothing for a reason that its sender is not to blame for."""
        self._addresses.give_back(_home(address))
        self._names.give_back(name[:64])

    def kept(self) -> int:
        """How many keys are kept, of all tables."""
        return len(self._addresses.records) + len(self._names.records) + len(self._known)


def _home(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ip_network((parsed, _V6_HOME), strict=False))
    return str(parsed)
