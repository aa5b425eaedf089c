"""An event loop in a thread of its own, for what of a worker needs one: aiortc."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import random
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

_log = logging.getLogger("monitor.ingest")


class MediaLoop(asyncio.SelectorEventLoop):
    """Binds UDP sockets for which any port would do within a range, which aioice cannot be told.

    Args:
        ports: the range; None: any.
    """

    def __init__(self, ports: Sequence[int] | None) -> None:
        super().__init__()
        self._ports = ports

    async def create_datagram_endpoint(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.DatagramProtocol],
        local_addr: tuple[str, int] | None = None,
        remote_addr: tuple[str, int] | None = None,
        **options: Any,
    ) -> tuple[asyncio.DatagramTransport, asyncio.DatagramProtocol]:
        """As asyncio's. Raises OSError where every port of the range is taken."""
        bind = super().create_datagram_endpoint
        if self._ports is None or local_addr is None or local_addr[1] != 0 or remote_addr is not None:
            return await bind(protocol_factory, local_addr, remote_addr, **options)
        taken: OSError | None = None
        for port in random.sample(self._ports, len(self._ports)):
            try:
                return await bind(protocol_factory, (local_addr[0], port), None, **options)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                taken = error
        assert taken is not None
        raise taken


class LoopThread:
    """Runs a loop until it is stopped.

    Args:
        name: of the thread.
        ports: for UDP sockets; None: any.
    """

    def __init__(self, name: str, ports: Sequence[int] | None) -> None:
        self._name = name
        self._ports = ports
        self._loop: MediaLoop | None = None
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, main: Coroutine[Any, Any, None]) -> None:
        """Runs a coroutine to its end, which is the thread's."""
        self._loop = MediaLoop(self._ports)
        self._loop.set_exception_handler(self._note)
        self._thread = threading.Thread(target=self._run, args=(self._loop, main), name=self._name, daemon=True)
        self._thread.start()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Begins something beside it, from the loop's own thread; what is left of it at the end is cancelled."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def call(self, work: Callable[[], None]) -> bool:
        """Has the loop do something soon; any thread may ask. False where it does not run."""
        if self._loop is None:
            return False
        try:
            self._loop.call_soon_threadsafe(work)
        except RuntimeError:
            return False
        return True

    def join(self, timeout_s: float) -> bool:
        """Waits for the end; False where it does not come in time."""
        if self._thread is None:
            return True
        self._thread.join(max(0.0, timeout_s))
        return not self._thread.is_alive()

    def _run(self, loop: MediaLoop, main: Coroutine[Any, Any, None]) -> None:
        asyncio.set_event_loop(loop)  # aiortc's emitters ask for it
        try:
            loop.run_until_complete(main)
        finally:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.wait(left, timeout=1.0))
            loop.run_until_complete(loop.shutdown_asyncgens())
            with contextlib.suppress(TimeoutError):  # a name that is still being looked up
                loop.run_until_complete(asyncio.wait_for(loop.shutdown_default_executor(), 1.0))
            loop.close()

    def _note(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What a task of aiortc raised where nobody listens: of a connection that ends by it, which is told."""
        _log.debug("%s: %s: %r", self._name, context.get("message"), context.get("exception"))
