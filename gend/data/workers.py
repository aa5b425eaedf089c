"""Work on many things at once, in processes that may die of what they are given without taking the others along.

FFmpeg is C and reads whatever a file holds. Each process is spawned, works on one thing after the other, and leaves
when whoever started it has gone, however that happened.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, Protocol, TypeVar

import cv2

from gend.errors import GendError

Task = TypeVar("Task")
Result = TypeVar("Result")
Task_contra = TypeVar("Task_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)

Told = Callable[[int, int], None]
_LEAVE_S = 5.0
_READY = "ready"


class Work(Protocol[Task_contra, Result_co]):
    """What is done. It is sent to other processes, so it can be pickled; so can tasks and results."""

    def ready(self) -> Callable[[Task_contra, Told], Result_co]:
        """Loads what is needed. What it gives does one task, and tells how much of it is done, and of how much.

        Raises:
            GendError: it cannot be loaded; in a task: the task cannot be done.
        """


class Follower(Protocol[Task_contra]):
    """Is told what goes on."""

    def began(self, task: Task_contra) -> None:
        """A task is worked on."""

    def advanced(self, task: Task_contra, done: int, total: int) -> None:
        """So much of it is done."""


class WorkerDiedError(GendError):
    """A process died of a task."""


def work_here(
    do: Callable[[Task, Told], Result], tasks: Iterable[Task], follower: Follower[Task]
) -> Generator[tuple[Task, Result | GendError]]:
    """Does tasks in this process, one after the other; gives each with what came of it."""
    for task in tasks:
        follower.began(task)
        yield task, _outcome(do, task, lambda done, total, task=task: follower.advanced(task, done, total))  # type: ignore[misc]


def work_in_processes(
    work: Work[Task, Result], tasks: Iterable[Task], workers: int, follower: Follower[Task]
) -> Generator[tuple[Task, Result | GendError]]:
    """Does tasks in other processes; gives each as it is done, with what came of it.

    What works is stopped at once when this generator is closed.

    Args:
        work: what is done.
        tasks: each is done once.
        workers: how many processes.
        follower: told of progress, here.

    Raises:
        GendError: the processes cannot begin to work.
    """
    waiting = deque(tasks)
    running: dict[Connection, _Worker[Task, Result]] = {}
    try:
        while waiting and len(running) < workers:
            _Worker(work, running).take(waiting.popleft(), follower)
        while running:
            for connection in wait(list(running)):
                assert isinstance(connection, Connection)
                worker = running[connection]
                outcome = worker.hear(follower)
                if outcome is None:
                    continue
                yield worker.task, outcome
                died = isinstance(outcome, WorkerDiedError)
                if died or not waiting:
                    worker.stop()
                if waiting:
                    (_Worker(work, running) if died else worker).take(waiting.popleft(), follower)
    finally:
        for worker in list(running.values()):
            worker.stop()


class _Worker(Generic[Task, Result]):
    """One process, as seen from here."""

    task: Task

    def __init__(self, work: Work[Task, Result], running: dict[Connection, _Worker[Task, Result]]) -> None:
        self._running = running
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(work, theirs), name="gend-prepare", daemon=True)
        self._is_ready = False
        with _interrupts_wait():
            self._process.start()
        theirs.close()  # now its end alone keeps the pipe open
        running[self._connection] = self

    def take(self, task: Task, follower: Follower[Task]) -> None:
        """Gives it a task."""
        self.task = task
        follower.began(task)
        try:
            self._connection.send(task)
        except OSError:
            return  # it has died, which is heard next

    def hear(self, follower: Follower[Task]) -> Result | GendError | None:
        """What came of the task, if that is what there is to hear.

        Raises:
            GendError: the process cannot begin to work.
        """
        try:
            kind, said = self._connection.recv()
        except (EOFError, OSError):
            self._process.join(_LEAVE_S)
            return self._death()
        if kind == _READY:
            if isinstance(said, GendError):
                raise said
            self._is_ready = True
        elif kind == "advanced":
            follower.advanced(self.task, *said)
        else:
            assert kind == "ended"
            outcome: Result | GendError = said
            return outcome
        return None

    def stop(self) -> None:
        """Ends the process, whatever it does."""
        del self._running[self._connection]
        self._connection.close()
        self._process.terminate()
        self._process.join(_LEAVE_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _death(self) -> WorkerDiedError:
        code = self._process.exitcode
        cause = f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}"
        if not self._is_ready:
            raise GendError(
                f"a worker process could not begin ({cause}); does a script that prepares with workers do so under "
                '`if __name__ == "__main__":`?'
            )
        return WorkerDiedError(f"the process that worked on it died ({cause})")


def _run(work: Work[Task, Result], connection: Connection) -> None:
    """In the other process. Ctrl-C is for the one that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)  # there is a process for each core
    try:
        try:
            do = work.ready()
        except GendError as error:
            connection.send((_READY, error))
            return
        connection.send((_READY, None))
        while True:
            task = connection.recv()
            connection.send(("ended", _outcome(do, task, lambda *said: connection.send(("advanced", said)))))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # whoever started this process has gone


def _outcome(do: Callable[[Task, Told], Result], task: Task, told: Told) -> Result | GendError:
    try:
        return do(task, told)
    except GendError as error:
        return error


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """A process begins as it is here: without this, Ctrl-C would stop it before it can say that it does not mind."""
    before: Any = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
