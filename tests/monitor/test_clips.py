"""Clips asked of a stream's worker while it runs: in threads, and in a process of its own."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import av
import pytest

from gend.preprocess import encoder_input
from monitor.answers import Answer, Answers
from monitor.clips import RingPlan
from monitor.clock import LiveClock
from monitor.config import FacesConfig
from monitor.isolation import IsolatedWorker
from monitor.messages import Clip, ClipRequest
from monitor.stream_config import StreamConfig
from monitor.worker import StreamWorker, WorkerPlan, track_ids
from tests.monitor.ingest.clips import make_clip
from tests.monitor.isolation.detectors import Obedient
from tests.waiting import PATIENCE_S, wait_until

RING = RingPlan(seconds=5, most_bytes=10**7)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "two-seconds.mp4")


class _Asked:
    """A worker of either kind, and the answers it gives."""

    def __init__(self, recording: Path, folder: Path, kind: str, ring: RingPlan | None) -> None:
        stream = StreamConfig.model_validate({"name": "lobby", "url": f"file:{recording}", "loop": True})
        plan = WorkerPlan(
            stream, FacesConfig(), partial(Obedient, folder / "orders"), partial(encoder_input, input_px=112), ring
        )
        self.answers: Answers[Clip] = Answers(itertools.count(1))
        self.states: list[str] = []
        self._folder = folder
        self.worker: StreamWorker | IsolatedWorker
        if kind == "process":
            numbers = itertools.count(1)
            self.worker = IsolatedWorker(
                plan,
                new_prefix=lambda: f"run-{next(numbers)}",
                clock=LiveClock(),
                on_message=lambda _: None,
                on_status=lambda status: self.states.append(status.state),
                on_answer=self._answered,
            )
        else:
            self.worker = StreamWorker(
                stream,
                plan.tracking(track_ids("run-1")),
                LiveClock(),
                on_message=lambda _: None,
                on_status=lambda status: self.states.append(status.state),
                ring=ring,
                on_answer=self._answered,
            )

    def ask(self, name: str = "clip") -> Future[Clip]:
        number, answer = self.answers.expect()
        self.worker.ask(ClipRequest("lobby", number, str(self._folder / name)))
        return answer

    def _answered(self, answer: Answer) -> None:
        assert isinstance(answer, Clip)
        self.answers.answer(answer)


@contextmanager
def _running(asked: _Asked) -> Iterator[_Asked]:
    asked.worker.start()
    try:
        wait_until(lambda: "live" in asked.states)
        yield asked
    finally:
        asked.worker.ask_to_stop()
        asked.worker.join(time.monotonic() + 10)


@pytest.fixture(params=["thread", "process"])
def asked(request: pytest.FixtureRequest, recording: Path, tmp_path: Path) -> Iterator[Callable[..., _Asked]]:
    """Starts a worker of either kind; its end comes with that of the test."""
    with ExitStack() as stack:
        yield lambda ring=RING: stack.enter_context(_running(_Asked(recording, tmp_path, request.param, ring)))


def test_write_clip_gives_a_file_that_plays_while_the_stream_goes_on(
    asked: Callable[..., _Asked], tmp_path: Path
) -> None:
    running = asked()
    clip = running.ask().result(PATIENCE_S)
    assert (clip.path, clip.absence) == (str(tmp_path / "clip.mp4"), None)
    with av.open(str(tmp_path / "clip.mp4")) as written:
        assert next(written.decode(video=0)).key_frame
    assert running.ask("another").result(PATIENCE_S).path == str(tmp_path / "another.mp4")


def test_write_clip_without_a_ring_says_that_nothing_is_kept(asked: Callable[..., _Asked], tmp_path: Path) -> None:
    clip = asked(ring=None).ask().result(PATIENCE_S)
    assert (clip.path, clip.absence) == (None, "nothing is kept of the stream")
    assert not list(tmp_path.glob("clip*"))


def test_write_clip_where_it_cannot_be_written_says_why(asked: Callable[..., _Asked]) -> None:
    clip = asked().ask("nowhere/clip").result(PATIENCE_S)
    assert (clip.path, clip.absence) == (None, "the clip cannot be written: No such file or directory")


def test_a_process_that_is_killed_answers_what_was_asked_of_it(recording: Path, tmp_path: Path) -> None:
    with _running(_Asked(recording, tmp_path, "process", RING)) as running:
        assert isinstance(running.worker, IsolatedWorker)
        pid = wait_until(lambda: running.worker.pid)  # type: ignore[union-attr]
        os.kill(pid, signal.SIGSTOP)  # it reads no more
        answer = running.ask()
        os.kill(pid, signal.SIGKILL)
        assert "process ended before" in (answer.result(PATIENCE_S).absence or "")


def test_a_stream_that_has_not_begun_says_so(recording: Path, tmp_path: Path) -> None:
    absence = _Asked(recording, tmp_path, "process", RING).ask().result(0).absence
    assert absence == "the stream's process was being replaced"
    assert _Asked(recording, tmp_path, "thread", RING).ask().result(0).absence == "no connection has been made yet"
