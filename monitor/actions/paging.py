"""Pages of long lists: a cursor says where one ends, and nothing that it says is anybody else's business."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from monitor.actions.errors import RefusedError

T = TypeVar("T")

MOST_PER_PAGE = 200
_MOST_DIGITS = 18
"""A database's integers are not longer."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list.

    Attributes:
        items: newest first.
        following: the cursor of the next page; None where there is none.
    """

    items: list[T]
    following: str | None


def cursor(place: int) -> str:
    """What stands for a place in a list."""
    return base64.urlsafe_b64encode(f"<{place}".encode()).decode().rstrip("=")


def place(text: str | None) -> int | None:
    """The place that a cursor stands for; None for none.

    Raises:
        RefusedError: it is no cursor of ours.
    """
    if text is None:
        return None
    try:
        said = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        said = ""
    digits = said.removeprefix("<")
    if not said.startswith("<") or not digits.isdecimal() or len(digits) > _MOST_DIGITS or cursor(int(digits)) != text:
        raise RefusedError("cursor", "this is no cursor that the service has given out")
    return int(digits)


def page(found: list[T], limit: int, place_of: Callable[[T], int]) -> Page[T]:
    """Cuts a list.

    Args:
        found: up to `limit` + 1, for one more than the page holds tells that there is another page.
        limit: of the page.
        place_of: an item's place in the list.
    """
    items = found[:limit]
    return Page(items, cursor(place_of(items[-1])) if len(found) > limit else None)
