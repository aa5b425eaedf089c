from __future__ import annotations

import socket
from contextlib import ExitStack

from monitor.ingest.door import Door


def test_closed_where_nobody_listens() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        door = Door(*server.getsockname())
        assert door.closed() == "Connection refused"
        server.listen()
        assert door.closed() is None


def test_closed_where_nobody_answers() -> None:
    """A server whose queue is full lets requests for a connection drop, as the wire to a dead camera does."""
    with ExitStack() as open_sockets, socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            caller = open_sockets.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(server.getsockname())
        assert Door(*server.getsockname()).closed() == "no answer"


def test_closed_cannot_tell_of_a_name_that_is_not_known() -> None:
    assert Door("host.invalid", 554).closed() is None
