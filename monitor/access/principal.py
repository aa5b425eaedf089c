"""Who asks for something: a user at a page, a program with a token, or whoever sits at this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monitor.errors import MonitorError

Role = Literal["viewer", "operator", "admin"]
"""A viewer looks; an operator also reviews, snoozes and publishes calls; an admin also changes what is watched and who
may."""
ROLES: tuple[Role, ...] = ("viewer", "operator", "admin")


class ForbiddenError(MonitorError):
    """Whoever asks may not."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody whose name is known and proven. Every action takes one and begins by asking it.

    Attributes:
        name: of the user, or of the token; stands in reviews, snoozes and the audit log.
        role: what they may do.
        streams: names of the streams that they may see at all; None: every one.
    """

    name: str
    role: Role
    streams: frozenset[str] | None = None

    def sees(self, stream: str, call_of: str | None = None) -> bool:
        """Whether they may know of the stream; of a call, whether they may of the stream that it is a call of."""
        return self.streams is None or (call_of or stream) in self.streams

    @property
    def counted_as(self) -> str | None:
        """By what name is counted what one login may have some of; None: whoever sits at this machine has all."""
        return None if self == LOCAL else self.name

    def may(self, role: Role) -> bool:
        """Whether theirs is that role, or one that may more."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def require(self, role: Role, stream: str | None = None, call_of: str | None = None) -> None:
        """Lets an action begin.

        Args:
            role: the least that it takes.
            stream: the one that it is about; None where it is about none.
            call_of: the configured stream that this one is a call of, or it itself; None: it is no call.

        Raises:
            ForbiddenError: they may not, in words for them. A stream that they may not see reads like one that is
                not there.
        """
        if stream is not None and not self.sees(stream, call_of):
            raise ForbiddenError(f"there is no stream {stream}, or you may not see it")
        if not self.may(role):
            raise ForbiddenError(f"this takes the role {role}; yours is {self.role}")


LOCAL = Principal("local", "admin")
"""Whoever reaches a service without users, which listens on the loopback address alone."""
