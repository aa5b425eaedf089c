"""Prepares a folder again and again, and is killed before each thing that it does to a file; then goes on.

    python -m tests.gend.data.dying SRC FOLDER

Prints a line of JSON for each such moment: what it was, and whether what it ended with equals an uninterrupted run.
The face detector is a rule, so that hundreds of runs take seconds; each run is a fork of this process.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gend.data import prepare as module
from gend.data.extract import Cut
from gend.data.prepare import Request, prepare
from gend.data.spread import FrameChoice
from gend.faces import Face
from gend.faces.align import TEMPLATE
from tests.gend.data.footage import tree_of

REQUEST = Request(dataset="set", detector="yunet", cut=Cut(FrameChoice("at_least", 2), size=32, min_face_px=10))
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "shutil.rmtree"}


class Rule:
    """Finds a face in light frames."""

    name = "yunet"
    degraded = None

    def detect(self, picture: NDArray[np.uint8]) -> list[Face]:
        if picture.mean() < 40:
            return []
        return [Face((10, 10, 50, 50), (TEMPLATE * 40 + 10).astype(np.float32), 0.9)]


def run(src: Path, out: Path, *, die_at: int | None = None) -> tuple[int, str]:
    """Prepares in a fork.

    Returns:
        How many things it did to files, or the one before which it died, and what that was; "" where it lived.
    """
    hearing, telling = os.pipe()
    child = os.fork()
    if not child:
        _prepare(src, out, telling, die_at)
    os.close(telling)
    with os.fdopen(hearing) as pipe:
        told = pipe.read().splitlines()
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) == (die_at is not None), f"ended by {status}: {told}"
    return len(told), told[-1] if os.WIFSIGNALED(status) else ""


def _prepare(src: Path, out: Path, telling: int, die_at: int | None) -> None:
    done = 0

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal done
        path = str(arguments[0]) if arguments else ""
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if (event not in CHANGES and not writes) or not path.startswith(str(out)):
            return
        os.write(telling, f"{event} {Path(path).relative_to(out)}\n".encode())
        done += 1
        if done == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        vars(module)["load_detector"] = lambda *_arguments, **_options: Rule()
        sys.addaudithook(hear)
        prepare(src, out, REQUEST)
        os._exit(0)
    except BaseException as error:  # noqa: BLE001
        os.write(telling, f"{error!r}\n".encode())
        os._exit(1)


def main(src: Path, folder: Path) -> None:
    """Runs all of it."""
    folder.mkdir(exist_ok=True)
    events, _ = run(src, folder / "whole")
    expected = tree_of(folder / "whole")
    for moment in range(1, events + 1):
        out = folder / "out"
        _, event = run(src, out, die_at=moment)
        # Whoever goes on may die as well.
        if moment % 3 == 0:
            run(src, out, die_at=3)
        run(src, out)
        print(json.dumps({"moment": moment, "event": event, "same": tree_of(out) == expected}), flush=True)
        shutil.rmtree(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
