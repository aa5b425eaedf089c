"""A machine that has a bad day: no space, no writing, no handles, no time; one service lives through all of it.

The tests share that service and run in their order: each waits until the service is well again, without a restart, and
the last one counts what has been delivered.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.broker import Mosquitto
from tests.faults.machine_clips import flickering, genuine
from tests.faults.table import FaultTable
from tests.faults.watched import Watched
from tests.monitor.service import SERVICE, RunningService, Subscriber
from tests.rtsp_server import RtspServer

QUICK_DECISION = {"threshold": 4, "min_blocks": 2, "refractory_s": 0}
QUICK_FACES = {"reassociate_s": 0.5, "crops_per_s": 4}
ON_A_SMALL_DISK = ("unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=80m none "$0" && exec "$@"')

LOCK = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""

OPEN = """
import asyncio, sys
from monitor.errors import StoreError
from monitor.store import Store
try:
    asyncio.run(Store.open(sys.argv[1]))
except StoreError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def flicker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flickering(tmp_path_factory.mktemp("clips") / "flicker.mp4")


FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


class Machine(Watched):
    """The service on a small disk of its own, with a camera and a broker."""

    def __init__(
        self, service: RunningService, subscriber: Subscriber, broker: Mosquitto, camera: RtspServer, disk: Path
    ) -> None:
        super().__init__(service, subscriber)
        self.broker = broker
        self.camera = camera
        self.disk = Path(f"/proc/{self.pid}/root{disk}")
        """The disk as it is seen from outside of the service's mount namespace."""

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Something else fills the disk, and takes whatever becomes free."""
        enough = threading.Event()
        filler = self.disk / "recordings"
        filling = threading.Thread(target=_fill, args=(filler, enough))
        filling.start()
        try:
            yield
        finally:
            enough.set()
            filling.join()
            filler.unlink()

    def connect(self) -> socket.socket:
        """One more connection to the web server, which need not be accepted."""
        address = urlsplit(self.service.web_url)
        return socket.create_connection((address.hostname, address.port))

    @contextmanager
    def locked_database(self) -> Iterator[None]:
        """Another program is in the middle of a change of the database."""
        inside = ("nsenter", "--target", str(self.pid), "--user", "--mount", "--preserve-credentials")
        database = str(self.disk.relative_to(f"/proc/{self.pid}/root"))
        command = [*inside, sys.executable, "-c", LOCK, f"/{database}/alerts.db"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "locked\n"
            yield
            other.communicate("", timeout=20)


def _fill(path: Path, enough: threading.Event) -> None:
    with path.open("wb", buffering=0) as file:
        while not enough.wait(0.01):
            with suppress(OSError):
                while True:
                    file.write(b"x" * 65536)


@pytest.fixture(scope="module")
def namespaces() -> None:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("mount namespaces are not to be had here")


@pytest.fixture(scope="module")
def machine(namespaces: None, flicker: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("machine")
    disk = folder / "disk"
    disk.mkdir()
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(folder))
        camera = stack.enter_context(RtspServer({"real": genuine(folder / "real.mp4")}))
        config = {
            "streams": [
                {"name": "flicker", "url": f"file:{flicker}", "loop": True},
                {"name": "camera", "url": camera.url("real"), "stall_s": 3},
            ],
            "mqtt": {"url": broker.url, "keepalive_s": 2},
            "store": {"url": f"sqlite+aiosqlite:///{disk}/alerts.db"},
            "decision": QUICK_DECISION,
            "faces": QUICK_FACES,
        }
        subscriber = stack.enter_context(Subscriber(broker.port, "gend/#"))
        service = stack.enter_context(RunningService(folder, config, command=(*ON_A_SMALL_DISK, str(disk), *SERVICE)))
        machine = Machine(service, subscriber, broker, camera, disk)
        machine.until_well()
        yield machine


def test_a_full_disk_keeps_alerts_waiting_and_nothing_else(machine: Machine, faults: FaultTable) -> None:
    machine.until(lambda: bool(machine.heard("gend/alerts/flicker")))
    with machine.full_disk():
        machine.until(lambda: machine.metric("alerts_unrecorded") > 0 and machine.health()[0] == 503)
        machine.until(lambda: machine.metric("store_errors_total") > 0)
        code, health = machine.health()
        assert (code, health["encoder"]) == (503, "ok")
        assert health["store"].endswith("alerts.db: database or disk is full")
        assert machine.metric("store_reserve_held") == 0
        machine.until_frames("flicker")
        machine.until_frames("camera")
    with faults.recovery("disk full", "/readyz 503, `alerts_unrecorded`, `store_errors`, `store_reserve_held` 0"):
        machine.until_well()
    machine.until(lambda: machine.metric("store_reserve_held") == 1)
    assert machine.lines("alerts wait in memory, the store refuses them") == 1
    assert machine.lines("the store takes alerts again") == 1


def test_a_locked_database_keeps_alerts_waiting(machine: Machine, faults: FaultTable, soak: bool) -> None:
    machine.until_well()
    with machine.locked_database():
        machine.until(lambda: machine.health()[1]["store"] != "ok")
        assert machine.health()[0] == 503
        time.sleep(30 if soak else 1)
        machine.until_frames("flicker")
    with faults.recovery("database locked by another process", "/readyz 503: database is locked"):
        machine.until_well()


def test_a_disk_that_refuses_every_write_keeps_alerts_waiting(machine: Machine, faults: FaultTable) -> None:
    machine.until_well()
    with machine.without_writing():
        machine.until(lambda: machine.health()[1]["store"] != "ok")
        code, health = machine.health()
        assert (code, health["store"].endswith("disk I/O error")) == (503, True)
        machine.until_frames("flicker")
    with faults.recovery("every write to the disk fails", "/readyz 503: disk I/O error"):
        machine.until_well()


def test_without_handles_what_is_connected_goes_on_and_the_rest_says_why(machine: Machine, faults: FaultTable) -> None:
    machine.until_well()
    machine.camera.kill()
    machine.until(lambda: machine.status("camera")["state"] == "connecting")
    with machine.without_handles(), closing(machine.connect()):
        machine.camera.start()
        machine.until(lambda: "Too many open files" in (machine.status("camera")["reason"] or ""))
        machine.until(lambda: machine.lines("connections cannot be accepted: Too many open files") > 0)
        machine.broker.kill()
        machine.until(lambda: machine.health()[1]["mqtt"] == "disconnected")
        with machine.without_handles():  # also that which the broker's end has freed
            machine.broker.start()
            machine.until(lambda: machine.lines("Too many open files; trying again") > 0)
            machine.until(lambda: machine.listening)
            machine.until_frames("flicker")
    with faults.recovery("no file handle left", "reason of the stream, `mqtt_connected` 0, log"):
        machine.until_well()
    machine.until(lambda: machine.lines("connections are accepted again") > 0)
    assert machine.lines("Too many open files") <= 4  # camera, broker, web, and asyncio says nothing


def test_a_machine_that_sleeps_wakes_up_well(machine: Machine, faults: FaultTable, soak: bool) -> None:
    machine.until_well()
    with machine.frozen():
        machine.until(lambda: machine.heard("gend/status")[-1] == "offline")
        time.sleep(60 if soak else 0)
    with faults.recovery("the whole service stands still (sleep)", "`gend/status` offline"):
        machine.until_frames("camera")
        machine.until_frames("flicker")
        machine.until(lambda: machine.heard("gend/status")[-1] == "online")
        machine.until_well()


def test_nothing_was_lost_over_all_of_it(machine: Machine) -> None:
    machine.until_well()
    code, _ = machine.service.terminate()
    assert code == 0
    machine.until(lambda: machine.heard("gend/status")[-1] == "offline")
    alerts = {alert["id"]: alert for alert in machine.heard("gend/alerts/flicker")}
    assert [alert["sequence"] for alert in alerts.values()] == list(range(1, len(alerts) + 1))
    for kind in ("raised", "cleared"):
        decided = machine.lines(f"flicker: alert {kind}")
        heard = sum(alert["type"] == kind for alert in alerts.values())
        # What ends with the service has half a second to be delivered, else it waits for the next one.
        assert decided - (kind == "cleared") <= heard <= decided
        assert heard > 0
    assert machine.heard("gend/alerts/camera") == []
    told = Counter(line.partition(" ")[2] for line in machine.service.log if " alert " not in line)
    assert max(told.values()) <= 5, told


def test_a_read_only_folder_is_refused_in_one_line(namespaces: None, tmp_path: Path, faults: FaultTable) -> None:
    script = 'mount -t tmpfs -o ro none "$0" && exec "$@"'
    url = f"sqlite+aiosqlite:///{tmp_path}/alerts.db"
    command = ["unshare", "-rm", "sh", "-c", script, str(tmp_path), sys.executable, "-c", OPEN, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert "alerts.db: " in done.stdout
    assert "Read-only file system" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    faults.add("read-only folder at the start", done.stdout.strip().rpartition("alerts.db: ")[2])


def test_a_clock_set_back_and_forward_changes_nothing_but_the_time_of_day(
    flicker: Path, tmp_path: Path, faults: FaultTable, *, soak: bool
) -> None:
    if FAKETIME is None:
        pytest.skip("libfaketime (Debian's faketime) is not installed")
    offset = tmp_path / "offset"
    offset.write_text("+0")
    environment = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with Mosquitto(tmp_path) as broker, Subscriber(broker.port, "gend/#") as subscriber:
        config = {
            "streams": [{"name": "flicker", "url": f"file:{flicker}", "loop": True}],
            "workers": {"isolation": "thread"},  # libfaketime's locks do not outlive a fork
            "mqtt": {"url": broker.url},
            "decision": QUICK_DECISION,
            "faces": QUICK_FACES,
        }
        with RunningService(tmp_path, config, environment=environment) as service:
            watched = Watched(service, subscriber)

            def raised() -> list[dict[str, Any]]:
                return [alert for alert in watched.heard("gend/alerts/flicker") if alert["type"] == "raised"]

            def ahead_s(stamp: str) -> float:
                return datetime.fromisoformat(stamp).timestamp() - time.time()

            watched.until(lambda: bool(raised()))
            offset.write_text("-1h")
            with faults.recovery("clock set back an hour", "nothing but the time of day"):
                watched.until(lambda: ahead_s(raised()[-1]["at"]) < -3000)
            watched.until(lambda: ahead_s(watched.status("flicker")["since"]) < -3000)
            if soak:
                # What was delivered a month ago by a clock that has jumped is forgotten; what was not must stay.
                broker.pause()
                offset.write_text("+30d")
                decided = watched.lines("alert raised")
                watched.until(lambda: watched.lines("alert raised") > decided)
                decided = watched.lines("alert cleared")
                watched.until(lambda: watched.lines("alert cleared") > decided)
                broker.resume()
                with faults.recovery("clock set forward a month", "nothing but the time of day"):
                    watched.until(lambda: ahead_s(raised()[-1]["at"]) > 29 * 86400)
            watched.until_well()
            assert service.terminate()[0] == 0
        watched.until(lambda: watched.heard("gend/status")[-1] == "offline")
    alerts = {alert["id"]: alert for alert in watched.heard("gend/alerts/flicker")}
    assert [alert["sequence"] for alert in alerts.values()] == list(range(1, len(alerts) + 1))
    assert sum(alert["type"] == "raised" for alert in alerts.values()) == watched.lines("alert raised")
    assert [line for line in service.log if "ERROR" in line] == []
