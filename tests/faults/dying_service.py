"""Decides, stores and publishes until it is killed; run and killed by `dying.py`.

The parts are those of the service and wired as there; only the logits are made up, so that alerts come as fast as the
store takes them. Imports are made once: for each line on standard input, `STORE_URL MQTT_URL FATE`, a process is
forked that begins where `gend-monitor run` has just been loaded. It says what it has reached, one line each:

    pid PID | begun | opened | closed EPISODES | recorded ID STREAM SEQUENCE | finished | ended STATUS

FATE is `killed` (from outside); or a point at which it kills itself: `committed`, `acknowledged` or `ticked` (an alert
is in the database; at the broker; and that is in the database); or `finish`: it decides nothing, delivers what waits,
and ends; or `statement:N`: as `finish`, but killed before its Nth statement or commit.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NoReturn
from uuid import uuid4

import alembic.command  # noqa: F401 - what the store imports late is imported here once as well
import sqlalchemy.dialects.postgresql.asyncpg
import sqlalchemy.dialects.sqlite.aiosqlite  # noqa: F401
from sqlalchemy import Engine, event

from monitor.clock import RecordingClock
from monitor.decision import Decision, uncalibrated
from monitor.decision_config import DecisionConfig
from monitor.messages import Alert, Logit, ModelIdentity, Status, TrackObservation
from monitor.mqtt_config import MqttConfig
from monitor.publish import MqttPublisher
from monitor.recorder import Recorder
from monitor.store import Store

STREAMS = ("gate", "hall", "lobby")
SINK = "mqtt"
_FAKE, _REAL = 4.0, -4.0
_MOST_WAITING = 4


def say(*words: object) -> None:
    """One write, so that a kill leaves a line whole or unsaid."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def die(*_: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


class Scenes:
    """On every stream somebody turns fake, stays so for a while, and turns real again or leaves; then the next."""

    def __init__(self, run_id: int) -> None:
        self._clock = RecordingClock(datetime.now(UTC))
        config = DecisionConfig(threshold=6, min_blocks=4)
        self.decision = Decision(
            config,
            lambda _stream: uncalibrated(config),
            clock=self._clock,
            model_of=lambda _stream: ModelIdentity("demo", "0" * 64, None, "torch", "fp32"),
            notices=(),
            new_id=lambda: uuid4().hex,
            base_crops_per_s=1,
            max_crops_per_s=2,
        )
        self._run_id = run_id

    def alerts(self) -> Iterator[Alert]:
        for block in itertools.count():
            scene, second = divmod(block, 50)
            self._clock.advance(block)
            for stream in STREAMS:
                track = f"{self._run_id}-{scene}"
                logit = _FAKE if second < 38 else _REAL
                outputs = self.decision.score(Logit(stream, track, block, logit, 1.0, "demo"))
                if second == 49 or (scene % 2 and second == 38):  # who has left is scored no more
                    box = (0.0, 0.0, 1.0, 1.0)
                    gone = TrackObservation(stream, track, block, block, 1.0, 1, {}, box, 0.0, ended=True)
                    outputs += self.decision.observe(gone)
                yield from (output for output in outputs if isinstance(output, Alert))


async def serve(store_url: str, mqtt_url: str, *, finish: bool) -> None:
    """As `monitor.service` does it."""
    store = await Store.open(store_url)
    say("opened")
    scenes = Scenes(store.run_id)
    publisher = MqttPublisher(MqttConfig(url=mqtt_url), store, sink=SINK)

    def recorded(alert: Alert) -> None:
        say("recorded", alert.id, alert.stream, alert.sequence)
        publisher.set_alert_state(alert.stream, on=scenes.decision.alerting(alert.stream))
        publisher.wake()

    recorder = Recorder(store, lambda _: [SINK], recorded)
    say("closed", len(await store.close_open_episodes(lambda _: [SINK])))
    for stream in STREAMS:
        publisher.set_alert_state(stream, on=False)
        publisher.set_status(Status(stream, "live", datetime.now(UTC)))
    publishing, recording = asyncio.create_task(publisher.run()), asyncio.create_task(recorder.run())
    if not finish:
        for alert in scenes.alerts():
            recorder.put(alert)
            while recorder.statistics().waiting > _MOST_WAITING:
                await asyncio.sleep(0.001)
    recorder.close()
    await recording
    assert await publisher.drain(60), publisher.statistics()
    await publishing
    await store.aclose()
    say("finished")


def doom(fate: str) -> None:
    """Makes this process kill itself where `fate` says."""
    point, _, number = fate.partition(":")
    if point == "statement":
        countdown = itertools.count(int(number) - 1, -1)

        def count(*_: object) -> None:
            if next(countdown) == 0:
                die()

        event.listen(Engine, "before_cursor_execute", count)
        event.listen(Engine, "commit", count)
    elif point == "committed":
        _die_around("record", after=20, before=False)
    elif point == "acknowledged":
        _die_around("delivered", after=20, before=True)
    elif point == "ticked":
        _die_around("delivered", after=20, before=False)


def _die_around(name: str, *, after: int, before: bool) -> None:
    """Kills this process at the given call of a method of the store, before its work is done or at once after."""
    method: Callable[..., Awaitable[Any]] = getattr(Store, name)
    calls = itertools.count(1)

    async def dying(*args: Any) -> Any:
        last = next(calls) == after
        if last and before:
            die()
        result = await method(*args)
        if last:
            die()
        return result

    setattr(Store, name, dying)


def main() -> None:
    """Forks one process for each line, and tells how it ended."""
    for line in sys.stdin:
        store_url, mqtt_url, fate = line.split()
        child = os.fork()
        if child == 0:
            assert "torch" not in sys.modules
            say("begun")
            doom(fate)
            asyncio.run(serve(store_url, mqtt_url, finish=fate.startswith(("finish", "statement"))))
            os._exit(0)
        say("pid", child)
        say("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    main()
