"""One process, from its start to its end, as whoever started it sees it.

Processes come from a fork server that has imported everything once, so that one more costs a quarter of a second and
shares what memory it can.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import pickle
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Self

from monitor.redact import one_line

_log = logging.getLogger("monitor.service")

_POLL_S = 1.0
_FIRST_WORD_S = 60.0
"""For the first message, where less is enough for others: many processes may start at once on a slow machine."""
_GONE_S = 1.5
"""For a process that was hung up on to leave, before it is killed."""
_LARGEST_MESSAGE = 2**26
"""Bytes; a crop has 150,000. A process whose memory is damaged may claim any length."""

_PRELOADED = "monitor.isolation.preload"
"""What the fork server imports: all that a stream's worker needs, of which there are many."""

_LOST = 255
"""What multiprocessing makes of an end that nobody reports."""

_processes = threading.Lock()
"""Held while a process is started or its end is read: multiprocessing looks after all children whenever one is started,
from that thread, and an exit code that is read twice is lost."""


def not_begun(error: OSError | EOFError) -> str:
    """Why a process could not be started, of what `Life.begin` raised."""
    if isinstance(error, EOFError):
        return "its process cannot be started: the fork server ended"
    return f"its process cannot be started: {error.strerror or error}"


class UnreadableError(Exception):
    """A process has sent what is no message."""


class Life:
    """One process, from its start to its end.

    Args:
        process: has been started.
        connection: between it and us.
        silent_s: without a message for so long it hangs; it is to send one a second.
    """

    def __init__(self, process: BaseProcess, connection: Connection, *, silent_s: float) -> None:
        self.last_words: str | None = None
        """Why the process ends, where it says so itself."""
        self._process = process
        self._connection = connection
        self._patience_s = silent_s
        # A number may be another's by the time a signal is sent to it; this never is.
        self._handle = os.pidfd_open(process.pid) if sys.platform == "linux" and process.pid else None
        self._killed_for: str | None = None
        self._exit_code: int | None = None
        self._silent_s = 0.0
        self._heard = False

    @classmethod
    def begin(cls, work: Callable[..., None], arguments: tuple[Any, ...], *, name: str, silent_s: float) -> Self:
        """Starts a process.

        Args:
            work: what it does; its first argument is its end of the connection. Found by its name there.
            arguments: the others; can be pickled.
            name: of the process, for whoever looks.
            silent_s: without a message for so long it hangs; it is to send one a second.

        Raises:
            OSError: none can be had.
            EOFError: the fork server has ended over it.
        """
        context = _context()
        ours, theirs = context.Pipe()
        # As a daemon it is ended with the interpreter, where nobody has stopped it.
        process = context.Process(target=work, args=(theirs, *arguments), name=name, daemon=True)
        try:
            with _processes:
                process.start()
            return cls(process, ours, silent_s=silent_s)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()

    @property
    def pid(self) -> int | None:
        """Its number."""
        return self._process.pid

    def watch(self) -> None:
        """Waits for the end of the process, and brings it about where nothing is heard."""
        while not wait([self._process.sentinel], _POLL_S):
            # Counted, not read off a clock: a machine that slept must not take its own sleep for the other's.
            self._silent_s += _POLL_S
            patience_s = self._patience_s if self._heard else max(_FIRST_WORD_S, self._patience_s)
            if self._silent_s > patience_s:
                self.kill(f"its process has sent nothing for {patience_s:.0f} s and was killed")
        with _processes:
            self._exit_code = self._process.exitcode

    @property
    def end(self) -> str:
        """Why it ended, once it has, and all that it sent was received."""
        return self._killed_for or self.last_words or _how_it_ended(self._exit_code)

    def receive(self) -> Any:
        """Waits for the next message.

        Raises:
            EOFError, OSError: the process is gone, perhaps in the middle of a message.
            UnreadableError: it is no message.
        """
        received = self._connection.recv_bytes(_LARGEST_MESSAGE)
        self._silent_s, self._heard = 0.0, True
        try:
            return pickle.loads(received)  # noqa: S301 - our processes are trusted, see `isolation.process`
        except Exception as error:
            raise UnreadableError(type(error).__name__) from error

    def dismiss(self) -> None:
        """Asks the process to end in good form; one that has not said a word holds nothing yet, and is just ended."""
        if self._heard:
            self.send(None)
        else:
            self.kill("it was not needed any more")

    def kill(self, reason: str) -> None:
        """Ends the process at once."""
        self._killed_for = self._killed_for or reason
        self._kill()

    def _kill(self) -> None:
        with contextlib.suppress(OSError):
            if self._handle is None:
                self._process.kill()
            else:
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def send(self, message: object) -> bool:
        """Sends without ever waiting: a process that does not read does not get, and this is False."""
        with contextlib.suppress(OSError, ValueError):
            writable = select.poll()
            writable.register(self._connection, select.POLLOUT)
            if writable.poll(0):
                self._connection.send(message)
                return True
        return False

    def hang_up(self) -> None:
        """Makes sure that the process is gone; what it has sent can still be received.

        It may live though its end was reported, which the fork server does, and that may have ended itself.
        """
        with contextlib.suppress(OSError), socket.fromfd(self._connection.fileno(), socket.AF_UNIX, 0) as end:
            end.shutdown(socket.SHUT_RDWR)
        if self._handle is not None:
            if not wait([self._handle], _GONE_S):
                self._kill()
            handle, self._handle = self._handle, None  # in this order: its number may soon be another's
            os.close(handle)

    def close(self) -> None:
        """Nothing is received any more."""
        self._connection.close()

    def accompany(self, take: Callable[[Any], None], on_turn: Callable[[bool], None], *, name: str) -> None:
        """Stays with the process to its end, and with what it has sent to the last message.

        Args:
            take: is given each message, in a thread of its own. If it raises, that is a fault of ours, which costs the
                process.
            on_turn: called with True once messages are taken, and with False when the process has ended, before what
                it was known by is given up.
            name: of the thread.
        """
        receiving = threading.Thread(target=self._receive_all, args=(take,), name=name, daemon=True)
        try:
            receiving.start()
            on_turn(True)
            self.watch()
        except RuntimeError as error:  # no more threads to be had
            self.kill(f"its process cannot be heard: {one_line(error)}")
        finally:
            on_turn(False)
            self.hang_up()
            if receiving.ident is not None:
                receiving.join()
            self.close()

    def _receive_all(self, take: Callable[[Any], None]) -> None:
        while True:
            try:
                message = self.receive()
            except (EOFError, OSError):
                return
            except UnreadableError as error:
                self.kill(f"its process sent what cannot be read ({error}) and was killed")
                return
            try:
                take(message)
            except Exception as error:  # noqa: BLE001 - a fault of ours, or no file handle left, costs the process
                self.kill(f"internal error: {one_line(error)}")
                _log.debug("a message of a process is not taken", exc_info=True)


def _context() -> Any:
    """How processes are made. Forking the service itself, with all its threads, would not be safe."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", _PRELOADED])
    return context


def _how_it_ended(exit_code: int | None) -> str:
    if exit_code is None or exit_code == _LOST:
        return "its process was lost with the fork server"
    if exit_code >= 0:
        return f"its process ended by itself ({exit_code})"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    return f"its process {'was killed' if name == 'SIGKILL' else 'crashed'} ({name})"
