"""Whoever asks a stream's worker for something hears of it, whatever becomes of the worker."""

from __future__ import annotations

import itertools
import os
import queue
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from gend.preprocess import encoder_input
from monitor.answers import Answer, Answers, Request
from monitor.clock import LiveClock
from monitor.config import FacesConfig
from monitor.isolation import IsolatedWorker
from monitor.messages import Leave, Offer, Reply
from monitor.stream_config import StreamConfig
from monitor.worker import StreamWorker, WorkerPlan, track_ids
from tests.monitor.ingest.clips import make_clip
from tests.monitor.isolation.detectors import Obedient
from tests.waiting import PATIENCE_S, wait_until


class _Asked:
    def __init__(self, folder: Path, url: str, *, isolated: bool) -> None:
        stream = StreamConfig.model_validate({"name": "call", "url": url})
        plan = WorkerPlan(stream, FacesConfig(), partial(Obedient, folder / "o"), partial(encoder_input, input_px=112))
        self.heard: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self.states: list[str] = []
        numbers = itertools.count(1)
        self.worker: StreamWorker | IsolatedWorker
        if isolated:
            self.worker = IsolatedWorker(
                plan,
                new_prefix=lambda: f"run-{next(numbers)}",
                clock=LiveClock(),
                on_message=lambda _: None,
                on_status=lambda status: self.states.append(status.state),
                on_answer=self.heard.put,
            )
        else:
            self.worker = StreamWorker(
                stream,
                plan.tracking(track_ids("run-1")),
                LiveClock(),
                on_message=lambda _: None,
                on_status=lambda status: self.states.append(status.state),
                on_answer=self.heard.put,
            )

    def ask(self, request: Request) -> Reply:
        self.worker.ask(request)
        answer = self.heard.get(timeout=PATIENCE_S)
        assert isinstance(answer, Reply)
        assert answer.number == request.number
        return answer


@contextmanager
def _running(asked: _Asked) -> Iterator[_Asked]:
    asked.worker.start()
    try:
        yield asked
    finally:
        asked.worker.ask_to_stop()
        asked.worker.join(time.monotonic() + PATIENCE_S)


def test_a_camera_takes_no_publishers(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "two-seconds.mp4")
    with _running(_Asked(tmp_path, f"file:{clip}", isolated=False)) as asked:
        assert asked.ask(Offer("call", 1, "one", "v=0")).refusal == "unavailable"
        assert asked.ask(Leave("call", 2, "one")).refusal == "unavailable"


def test_a_stream_that_ends_answers_those_who_still_wait(tmp_path: Path) -> None:
    with _running(_Asked(tmp_path, "whip:", isolated=False)) as asked:
        assert asked.ask(Leave("call", 1, "one")).refusal == "unknown"
    assert asked.ask(Offer("call", 2, "one", "v=0")).refusal == "unavailable"


def test_a_process_that_dies_before_it_answers_is_answered_for(tmp_path: Path) -> None:
    with _running(_Asked(tmp_path, "whip:", isolated=True)) as asked:
        assert isinstance(asked.worker, IsolatedWorker)
        pid = wait_until(lambda: asked.worker.pid if isinstance(asked.worker, IsolatedWorker) else None)
        assert asked.ask(Offer("call", 1, "one", "v=0")).refusal == "unusable"  # it lives, and there is no video
        os.kill(pid, signal.SIGSTOP)
        asked.worker.ask(Offer("call", 2, "two", "v=0"))
        os.kill(pid, signal.SIGKILL)
        answer = asked.heard.get(timeout=PATIENCE_S)
        assert answer == Reply(
            "call",
            2,
            refusal="unavailable",
            reason="call: the stream's process ended before it was done; try again",
        )


def test_an_answer_that_nobody_waits_for_any_more_is_dropped() -> None:
    answers: Answers[Reply] = Answers(itertools.count(1))
    number, waiting = answers.expect()
    waiting.cancel()
    answers.answer(Reply("call", number))
    answers.answer(Reply("call", number))
    number, waiting = answers.expect()
    answers.answer(Reply("call", number, sdp="v=0"))
    assert waiting.result(0).sdp == "v=0"
