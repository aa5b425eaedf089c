"""Which streams there are, asked anew each time: they may be others tomorrow."""

from __future__ import annotations

from collections.abc import Callable, Collection

from monitor.actions.errors import NotFoundError

StreamNames = Callable[[], Collection[str]]
CallOf = Callable[[str], str]
"""The configured stream that a stream is a call of; it itself, where it is no call that is on."""


def check_known(stream: str, names: StreamNames) -> None:
    """Sees to it that there is a stream, after `Principal.require`.

    Args:
        stream: its name.
        names: those that there are now.

    Raises:
        NotFoundError: it is not; only who may see every stream gets as far as to be told so.
    """
    if stream not in names():
        raise NotFoundError(f"there is no stream {stream}, or you may not see it")
