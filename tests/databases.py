"""Databases to test on: SQLite, and PostgreSQL where its programs are installed, in a process that can be killed.

A test module that asks for them says `pytest_plugins = ("tests.databases",)`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

import psutil
import pytest

from tests.ports import free_port


class Postgres:
    """A server on a free loopback port, trusting everybody, that keeps its files in a folder of its own."""

    def __init__(self, programs: Path) -> None:
        # PostgreSQL refuses to run as root.
        self._user = "postgres" if os.getuid() == 0 else None
        self._programs = programs
        self._folder = Path(mkdtemp(prefix="postgres-"))
        if self._user is not None:
            os.chown(self._folder, pwd.getpwnam(self._user).pw_uid, -1)
        self.port = free_port()
        self._processes: list[psutil.Process] = []

    def start(self) -> None:
        self._run("initdb", "-D", "data", "-A", "trust", "-U", "tests", "--no-sync")
        self._control("start")

    def follow(self, primary: Postgres) -> None:
        """Instead of `start`: begins with a copy of all that `primary` has, takes what comes after, and no writes."""
        source = f"host=127.0.0.1 port={primary.port} user=tests"
        self._run(
            "pg_basebackup", "-D", "data", "-d", source, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"
        )
        self._control("start")

    def promote(self) -> None:
        """Makes a server that follows take writes."""
        self._control("promote")

    def demote(self) -> None:
        """Refuses every write from now on, as a primary that became a standby does; connections stay."""
        self._ask("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")

    def restart(self) -> None:
        """Cuts every connection."""
        self._control("restart", "-m", "immediate")

    def kill(self) -> None:
        """Ends it at once, as if the machine had lost its power."""
        self._signal(signal.SIGKILL)
        # Its children see that their parent is gone, and end too; only then may another one start.
        while any(process.is_running() for process in self._processes):
            psutil.wait_procs(self._processes, timeout=1)

    def start_again(self) -> None:
        """After `kill`, on the same port and files."""
        self._control("start")

    def pause(self) -> None:
        """Freezes it and all that serve connections: these stay, answers do not come."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Undoes `pause`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        server = psutil.Process(int((self._folder / "data" / "postmaster.pid").read_text().split()[0]))
        self._processes = [server, *server.children(recursive=True)]
        for process in self._processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def _control(self, *arguments: str) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -k {self._folder} -c fsync=off"
        self._run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, *arguments)

    def database(self) -> str:
        """URL of a new, empty database."""
        name = f"test_{uuid4().hex}"
        self._ask(f"CREATE DATABASE {name}")
        return f"postgresql+asyncpg://tests@127.0.0.1:{self.port}/{name}"

    def _ask(self, *statements: str) -> None:
        asyncio.run(self._execute(statements))

    async def _execute(self, statements: Sequence[str]) -> None:
        import asyncpg  # type: ignore[import-untyped]

        connection = await asyncpg.connect(host="127.0.0.1", port=self.port, user="tests", database="postgres")
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    def stop(self) -> None:
        try:
            self._control("stop", "-m", "immediate")
        finally:
            shutil.rmtree(self._folder)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, *arguments],
            cwd=self._folder,
            user=self._user,
            env={"LC_ALL": "C", "PATH": os.environ["PATH"], "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=60,
        )


@pytest.fixture(scope="session")
def postgres_programs() -> Path:
    pytest.importorskip("asyncpg")
    initdb = shutil.which("initdb") or next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None)
    if initdb is None:
        pytest.skip("PostgreSQL is not installed")
    return Path(initdb).resolve().parent


@pytest.fixture(scope="session")
def postgres(postgres_programs: Path) -> Iterator[Postgres]:
    server = Postgres(postgres_programs)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def primary_and_standby(postgres_programs: Path) -> Iterator[tuple[Postgres, Postgres]]:
    """Two servers of their own, the second following the first."""
    with contextlib.ExitStack() as stack:
        primary, standby = Postgres(postgres_programs), Postgres(postgres_programs)
        primary.start()
        stack.callback(primary.stop)
        standby.follow(primary)
        stack.callback(standby.stop)
        yield primary, standby


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/alerts.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.database()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/alerts.db"


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    return postgres.database()
