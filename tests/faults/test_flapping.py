"""A stream that is never well: what it writes into the log, and what its figures tell."""

from __future__ import annotations

import gc
import itertools
import logging
import random
import time
from collections.abc import Generator, Iterator
from contextlib import closing

import psutil
import pytest

from tests.faults.analysed import Analysed
from tests.faults.camera import Camera, Film, HangUp, Pause, Raw, Step, interleaved
from tests.faults.table import FaultTable
from tests.logs import told

_CI_S, _SOAK_S = 10.0, 1800.0
_WARM_UP_S = 300.0
_LEAK_BYTES = 5_000_000
"""In half an hour with a thousand connections; the allocator's arenas come and go by this much."""


class _Moods:
    """What a camera does of its own accord: shows a few pictures, then falls silent, babbles or hangs up."""

    def __init__(self, film: Film) -> None:
        self._film = film
        self._chance = random.Random(7)
        self._turns = itertools.count()

    def __call__(self) -> Iterator[Step]:
        shots = self._film.endless()
        while True:
            yield from itertools.islice(shots, self._chance.randrange(20))
            match next(self._turns) % 6:
                case 0:
                    yield Pause(1.5)
                case 2:
                    yield Raw(interleaved(self._chance.randbytes(500)))
                case 4:
                    yield Pause(3600)
                case _:
                    yield HangUp()


@pytest.fixture
def camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Camera]:
    with Camera(Film.draw(tmp_path_factory.mktemp("films") / "film.h264")) as running:
        yield running


def test_a_stream_that_is_never_well_is_told_of_in_few_lines_and_true_figures(
    camera: Camera, soak: bool, faults: FaultTable, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    process, memory = psutil.Process(), []
    with Analysed(camera.url) as stream:
        stream.wait_for_pictures(3)
        handles, threads = process.num_fds(), process.num_threads()
        began_s = time.monotonic()
        with closing(_bad_days(camera)) as days:
            for lasts_s in days:
                time.sleep(lasts_s)
                elapsed_s = time.monotonic() - began_s
                if elapsed_s > _WARM_UP_S:
                    gc.collect()
                    memory.append(process.memory_info().rss)
                if elapsed_s > (_SOAK_S if soak else _CI_S):
                    break
        with faults.recovery("a camera that is never well", _story(stream)):
            stream.wait_for_pictures(20)
        figures, states = stream.figures, stream.states
        lines = told(caplog)
        # A moment ago there may have been a connection more.
        deadline_s = time.monotonic() + 5
        while process.num_fds() > handles or process.num_threads() > threads:
            assert time.monotonic() < deadline_s, (process.num_fds(), handles, process.num_threads(), threads)
            time.sleep(0.05)
    assert 1 < len(lines) <= len(states) - 1  # it begins in the first of them
    assert len(states) < len(stream.statuses)  # though there was more to say
    assert figures.state == "live"
    assert figures.stalls == states.count("stalled") > 0
    assert figures.reconnects >= states.count("connecting") - 1 > 2
    assert figures.frames > stream.pictures
    assert (figures.abandoned, figures.crashed) == (0, 0)
    if memory:
        assert memory[-1] - memory[0] < _LEAK_BYTES
        faults.add("the same, from the sixth minute on", f"memory {(memory[-1] - memory[0]) / 1e6:+.1f} MB")


def _bad_days(camera: Camera) -> Generator[float, None, None]:
    """Does something to the camera, and says for how long to leave it so. Makes it well at the end."""
    chance, days, moods = random.Random(11), itertools.count(), _Moods(camera.film)
    try:
        while True:
            camera.script = moods
            yield chance.uniform(1, 4)
            match next(days) % 3:
                case 0:
                    camera.switch_off()
                    yield chance.uniform(0.5, 2)
                    camera.switch_on()
                case 1:
                    camera.switch_off()
                    camera.status = chance.choice(["404 Not Found", "503 Service Unavailable"])
                    camera.switch_on()
                    yield chance.uniform(0.5, 2)
                    camera.status = None
                case _:
                    camera.script = None
                    yield 1
    finally:
        camera.switch_off()
        camera.script = camera.status = None
        camera.switch_on()


def _story(stream: Analysed) -> str:
    figures = stream.figures
    return (
        f"{len(stream.states)} states, {figures.reconnects} reconnects, {figures.stalls} stalls, "
        f"{figures.frames} frames, {figures.distrusted} distrusted"
    )
