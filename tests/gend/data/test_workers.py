from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from gend.data.workers import Told, WorkerDiedError, work_here, work_in_processes
from gend.errors import GendError
from tests.waiting import wait_until


class Squares:
    """Squares numbers; some of them are its death."""

    def ready(self) -> Callable[[int, Told], int]:
        return self._square

    def _square(self, task: int, told: Told) -> int:
        if task == 13:
            os.kill(os.getpid(), signal.SIGSEGV)
        if task == 14:
            sys.exit(3)
        if task < 0:
            raise GendError(f"{task}: below nothing")
        if task == 1000:
            time.sleep(1000)
        told(1, 1)
        return task * task


class NeverReady:
    def ready(self) -> Callable[[int, Told], int]:
        raise GendError("no weights")


class Follower:
    def __init__(self) -> None:
        self.told: list[tuple[int, int, int]] = []

    def began(self, task: int) -> None:
        self.told.append((task, 0, 0))

    def advanced(self, task: int, done: int, total: int) -> None:
        self.told.append((task, done, total))


def spawned() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def test_all_tasks_are_done_once() -> None:
    follower = Follower()
    done = dict(work_in_processes(Squares(), [1, 2, 3, -4, 5], 2, follower))
    assert {task: result for task, result in done.items() if task > 0} == {1: 1, 2: 4, 3: 9, 5: 25}
    assert isinstance(done[-4], GendError)
    assert str(done[-4]) == "-4: below nothing"
    assert sorted(follower.told) == sorted([(n, 0, 0) for n in (1, 2, 3, -4, 5)] + [(n, 1, 1) for n in (1, 2, 3, 5)])
    assert [(task, str(result)) for task, result in work_here(Squares().ready(), [2, -1], Follower())] == [
        (2, "4"),
        (-1, "-1: below nothing"),
    ]


def test_a_process_that_dies_takes_one_task_along() -> None:
    done = dict(work_in_processes(Squares(), [13, 2, 14, 3], 1, Follower()))
    assert (done[2], done[3]) == (4, 9)
    assert isinstance(done[13], WorkerDiedError)
    assert str(done[13]) == "the process that worked on it died (signal SIGSEGV)"
    assert str(done[14]) == "the process that worked on it died (exit code 3)"
    assert spawned() == []


def test_who_stops_listening_stops_the_work() -> None:
    with closing(work_in_processes(Squares(), [1, 1000, 2], 2, Follower())) as done:
        first = next(done)
        assert first[1] == 1
        assert len(spawned()) == 2
    assert spawned() == []


def test_what_cannot_begin_is_told_once() -> None:
    with pytest.raises(GendError, match=r"^no weights$"):
        list(work_in_processes(NeverReady(), [1, 2, 3], 2, Follower()))


def test_a_script_without_guard_is_told_what_to_do(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from gend.data.workers import work_in_processes\n"
        "from tests.gend.data.test_workers import Follower, Squares\n"
        "print(list(work_in_processes(Squares(), [1], 1, Follower())))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "a worker process could not begin (exit code 1); does a script" in done.stderr


def test_processes_leave_when_who_began_them_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from gend.data.workers import work_in_processes\n"
        "from tests.gend.data.test_workers import Follower, Squares\n"
        "if __name__ == '__main__':\n"
        "    for task in work_in_processes(Squares(), [1, *[2] * 10**6], 2, Follower()):\n"
        "        print(task, flush=True)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, str(script)], env=environment, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        workers = wait_until(lambda: psutil.Process(running.pid).children(recursive=True))
        running.kill()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []
