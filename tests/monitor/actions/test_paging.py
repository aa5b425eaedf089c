from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.actions import RefusedError
from monitor.actions.paging import cursor, page, place


@given(st.integers(min_value=0, max_value=2**59))
def test_cursor_stands_for_its_place(number: int) -> None:
    assert place(cursor(number)) == number


@given(st.text(max_size=40))
def test_anything_else_is_no_cursor(text: str) -> None:
    with contextlib.suppress(RefusedError):
        number = place(text)
        assert number is not None
        assert cursor(number) == text


def test_page_leads_on_only_where_there_is_more() -> None:
    assert page([3, 2, 1], 2, lambda item: item).items == [3, 2]
    assert page([3, 2, 1], 2, lambda item: item).following == cursor(2)
    assert page([3, 2], 2, lambda item: item).following is None
    assert place(None) is None
    with pytest.raises(RefusedError, match="this is no cursor that the service has given out"):
        place("")
