"""Databases to test on: every store test runs on SQLite, and on PostgreSQL where its programs are installed."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

import pytest

from tests.broker import free_port


class Postgres:
    """A server on a free loopback port, trusting everybody, that keeps its files in a folder of its own."""

    def __init__(self, programs: Path) -> None:
        # PostgreSQL refuses to run as root.
        self._user = "postgres" if os.getuid() == 0 else None
        self._programs = programs
        self._folder = Path(mkdtemp(prefix="postgres-"))
        if self._user is not None:
            os.chown(self._folder, pwd.getpwnam(self._user).pw_uid, -1)
        self._port = free_port()

    def start(self) -> None:
        self._run("initdb", "-D", "data", "-A", "trust", "-U", "tests", "--no-sync")
        self._control("start")

    def restart(self) -> None:
        """Cuts every connection."""
        self._control("restart", "-m", "immediate")

    def _control(self, *arguments: str) -> None:
        options = f"-h 127.0.0.1 -p {self._port} -k {self._folder} -c fsync=off"
        self._run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, *arguments)

    def database(self) -> str:
        """URL of a new, empty database."""
        name = f"test_{uuid4().hex}"
        asyncio.run(self._create(name))
        return f"postgresql+asyncpg://tests@127.0.0.1:{self._port}/{name}"

    async def _create(self, name: str) -> None:
        import asyncpg  # type: ignore[import-untyped]

        connection = await asyncpg.connect(host="127.0.0.1", port=self._port, user="tests", database="postgres")
        await connection.execute(f"CREATE DATABASE {name}")
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
def postgres() -> Iterator[Postgres]:
    pytest.importorskip("asyncpg")
    initdb = shutil.which("initdb") or next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None)
    if initdb is None:
        pytest.skip("PostgreSQL is not installed")
    server = Postgres(Path(initdb).parent)
    server.start()
    yield server
    server.stop()


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
