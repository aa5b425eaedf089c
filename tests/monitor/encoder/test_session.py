"""Two threads that ask a process which ends amid it."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection

import pytest

from monitor.encoder.session import Asked, BrokenError, Session
from monitor.encoder.slab import give_slab
from tests.waiting import wait_until


class _Ending:
    """Our end of a connection of which the other end is closed, and the thread that receives sees it, at a `send`."""

    def __init__(self, ours: Connection, theirs: Connection) -> None:
        self._ours = ours
        self._theirs = theirs
        self.seen = threading.Event()

    def recv_bytes(self, most: int) -> bytes:
        return self._ours.recv_bytes(most)

    def send(self, message: object) -> None:
        self._theirs.close()
        assert self.seen.wait(60)
        self._ours.send(message)


@pytest.fixture
def ends() -> Iterator[tuple[Connection, Connection]]:
    ours, theirs = multiprocessing.Pipe()
    yield ours, theirs
    ours.close()


def test_an_end_that_another_thread_has_seen_first_is_the_same_error(ends: tuple[Connection, Connection]) -> None:
    line = _Ending(*ends)
    session = Session(line, give_slab(ends[0], (1, 8, 8, 3)))  # type: ignore[arg-type]
    waiting = session._send(Asked(), lambda: None)

    def wait() -> None:
        with suppress(BrokenError):
            session.answer_to(waiting)
        line.seen.set()

    receiving = threading.Thread(target=wait)
    receiving.start()
    wait_until(session._receiving.locked)
    with pytest.raises(BrokenError):
        session.set_adapters({})
    receiving.join()
    assert not session.asked
