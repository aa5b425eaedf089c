"""A running service as its operator sees it: health, metrics, topics, log, and the processes it is made of."""

from __future__ import annotations

import http.client
import json
import queue
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.monitor.service import RunningService, Subscriber

PATIENCE_S = 60.0


class Watched:
    """Looks at a service over one HTTP connection that stays, as Prometheus does, and over MQTT.

    Args:
        service: the service; runs already.
        subscriber: of all topics.
    """

    def __init__(self, service: RunningService, subscriber: Subscriber) -> None:
        assert service.process is not None
        self.service = service
        self.pid = service.process.pid
        self._subscriber = subscriber
        self._heard: list[tuple[str, bytes]] = []
        self._http = http.client.HTTPConnection(urlsplit(service.web_url).netloc, timeout=30)

    def health(self) -> tuple[int, dict[str, Any]]:
        """What /readyz answers: the code and what is in it."""
        code, body = self._get("/readyz")
        return code, json.loads(body)

    def metric(self, name: str, **labels: str) -> float:
        """The value of a metric, named without `gend_`; the sum of all that have these labels."""
        _, body = self._get("/metrics")
        found = [
            sample.value
            for family in text_string_to_metric_families(body)
            for sample in family.samples
            if sample.name == f"gend_{name}" and labels.items() <= sample.labels.items()
        ]
        assert found, f"no gend_{name} {labels}"
        return sum(found)

    def heard(self, topic: str) -> list[Any]:
        """All that was heard on a topic so far, in order; JSON where it is."""
        self._listen()
        return [_value(payload) for name, payload in self._heard if name == topic]

    def topics(self) -> list[str]:
        """The topic of each message that was heard so far, in order."""
        self._listen()
        return [topic for topic, _ in self._heard]

    @property
    def listening(self) -> bool:
        """Whether the subscriber is connected; it connects again by itself."""
        return self._subscriber.connected

    def status(self, stream: str) -> dict[str, Any]:
        """The retained status of a stream, as heard last."""
        last: dict[str, Any] = self.heard(f"gend/streams/{stream}/status")[-1]
        return last

    def lines(self, text: str) -> int:
        """How many lines of the log hold this text."""
        return sum(text in line for line in self.service.log)

    def until(self, condition: Callable[[], bool]) -> None:
        """Waits until it holds; fails with what can be seen instead."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, self.service.log_text()
            time.sleep(0.1)

    def until_well(self) -> None:
        """Waits until everything works and nothing is left to be recorded or delivered."""
        self.until(self.well)

    def well(self) -> bool:
        """Whether everything works and nothing waits."""
        code, health = self.health()
        return (
            code == 200
            and health["mqtt"] == "connected"
            and set(health["streams"].values()) == {"live"}
            and not self.metric("alerts_unrecorded")
        )

    def until_frames(self, stream: str) -> None:
        """Waits until frames come that have not come before."""
        before = self.metric("frames_total", stream=stream)
        self.until(lambda: self.metric("frames_total", stream=stream) > before)

    def processes(self) -> list[psutil.Process]:
        """The service's and all that it has started."""
        service = psutil.Process(self.pid)
        return [service, *service.children(recursive=True)]

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stands still as a whole, as in a laptop that sleeps."""
        processes = self.processes()
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                process.send_signal(signal.SIGCONT)

    @contextmanager
    def without_handles(self) -> Iterator[None]:
        """What is open stays open, and nothing else can be opened by any process of the service."""
        before = {process.pid: resource.prlimit(process.pid, resource.RLIMIT_NOFILE) for process in self.processes()}
        for pid, (_, hard) in before.items():
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (_first_free(pid), hard))
        try:
            yield
        finally:
            for pid, limits in before.items():
                with suppress(ProcessLookupError):  # replaced meanwhile
                    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)

    @contextmanager
    def without_writing(self) -> Iterator[None]:
        """Every write to a file fails, as on a disk that has become read-only or broken under open files."""
        before = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (0, before[1]))
        try:
            yield
        finally:
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, before)

    def _listen(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._heard.append(self._subscriber.messages.get_nowait())

    def _get(self, path: str) -> tuple[int, str]:
        self._http.request("GET", path)
        answer = self._http.getresponse()
        return answer.status, answer.read().decode()


def _first_free(pid: int) -> int:
    """The lowest handle that a process does not use, nor hold for a moment only, which would be free right after."""
    looks = []
    for _ in range(5):
        looks.append({int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()})
        time.sleep(0.02)
    used = set.intersection(*looks)
    return next(number for number in range(len(used) + 1) if number not in used)


def _value(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode()
