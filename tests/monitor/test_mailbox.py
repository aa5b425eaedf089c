from __future__ import annotations

import asyncio
import threading

import pytest

from monitor.mailbox import Mailbox


@pytest.mark.anyio
async def test_mailbox_hands_over_everything_threads_put_in_order() -> None:
    box: Mailbox[tuple[int, int]] = Mailbox(100_000, asyncio.get_running_loop())

    def put(thread: int) -> None:
        for number in range(1000):
            box.put((thread, number))

    threads = [threading.Thread(target=put, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    taken: list[tuple[int, int]] = []
    while len(taken) < 4000:
        taken += await asyncio.wait_for(box.take(), 5)
    for putter in range(4):
        assert [number for owner, number in taken if owner == putter] == list(range(1000))


@pytest.mark.anyio
async def test_mailbox_refuses_and_counts_beyond_its_capacity_but_keeps_what_must_not_be_lost() -> None:
    box: Mailbox[str] = Mailbox(2, asyncio.get_running_loop())
    assert [box.put(item) for item in "abc"] == [True, True, False]
    assert box.put("end", keep=True)
    assert await box.take() == ["a", "b", "end"]
    statistics = box.statistics()
    assert (statistics.waiting, statistics.received, statistics.refused) == (0, 3, 1)
