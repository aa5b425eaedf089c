from __future__ import annotations

import asyncio
import gc

import pytest

from monitor.broadcast import Broadcast, FullError, News

pytestmark = pytest.mark.anyio


def news(number: int, stream: str = "lobby") -> News:
    return News("verdict", stream, str(number))


async def test_everybody_gets_what_they_asked_for_in_order() -> None:
    broadcast = Broadcast()
    everything = broadcast.subscribe()
    some = broadcast.subscribe({"lobby"}, {"alert"})
    told = [news(1), News("alert", "gate", "2", "a"), News("alert", "lobby", "3", "b")]
    for each in told:
        broadcast.tell(each)
    assert await everything.take() == (told, 0)
    assert await some.take() == ([told[2]], 0)


async def test_who_is_slow_loses_the_oldest_and_is_told_how_much() -> None:
    broadcast = Broadcast(waiting=3)
    slow, quick = broadcast.subscribe(), broadcast.subscribe()
    heard = []
    for number in range(5):
        broadcast.tell(news(number))
        heard += (await quick.take())[0]
    assert heard == [news(number) for number in range(5)]
    assert await slow.take() == ([news(2), news(3), news(4)], 2)
    broadcast.tell(news(5))
    assert await slow.take() == ([news(5)], 0)
    assert broadcast.statistics().dropped == 2


async def test_no_more_listen_than_may() -> None:
    broadcast = Broadcast(most=2)
    first, _ = broadcast.subscribe(), broadcast.subscribe()
    with pytest.raises(FullError, match="2 listen already; try again later"):
        broadcast.subscribe()
    broadcast.unsubscribe(first)
    broadcast.unsubscribe(first)
    broadcast.subscribe()
    statistics = broadcast.statistics()
    assert (statistics.subscribers, statistics.refused) == (2, 1)


async def test_end_wakes_who_waits_and_lets_nobody_in() -> None:
    broadcast = Broadcast()
    subscription = broadcast.subscribe()
    waiting = asyncio.create_task(subscription.take())
    await asyncio.sleep(0)
    broadcast.close()
    assert await waiting == ([], 0)
    assert await subscription.take() == ([], 0)
    with pytest.raises(FullError, match="the service stops"):
        broadcast.subscribe()


async def test_what_waits_for_who_has_gone_is_freed() -> None:
    import weakref

    class Heavy(str):
        __slots__ = ("__weakref__",)

    broadcast = Broadcast()
    subscription = broadcast.subscribe()
    heavy = Heavy("x" * 1000)
    gone = weakref.ref(heavy)
    broadcast.tell(News("verdict", "lobby", heavy))
    broadcast.unsubscribe(subscription)
    del heavy, subscription
    gc.collect()
    assert gone() is None
