from __future__ import annotations

import os
import subprocess
import sys

WORK = """
from gend.progress import FileProgress
with FileProgress(2, shown={shown}) as progress:
    for name in ("[a].mp4", "b" * 90 + ".mp4"):
        with progress.file(name) as frames:
            for done in range(1, 41):
                frames(done, 40)
            progress._progress.refresh()
            print("result", name[0])
"""


def on_a_terminal(*, shown: bool) -> tuple[str, str]:
    """What the work prints on stdout, a pipe, and on stderr, a terminal."""
    ours, theirs = os.openpty()
    work = subprocess.Popen(
        [sys.executable, "-c", WORK.format(shown=shown)], stdout=subprocess.PIPE, stderr=theirs, text=True
    )
    os.close(theirs)
    told = b""
    try:
        while piece := os.read(ours, 4096):
            told += piece
    except OSError:  # the other end was closed
        pass
    os.close(ours)
    results, _ = work.communicate(timeout=60)
    assert work.returncode == 0
    return results, told.decode()


def test_progress_on_a_terminal() -> None:
    results, told = on_a_terminal(shown=True)
    assert results == "result [\nresult b\n"
    assert "[a].mp4" in told
    assert "40/40" in told
    assert "0/2" in told
    assert "1/2" in told


def test_progress_not_wanted() -> None:
    assert on_a_terminal(shown=False) == ("result [\nresult b\n", "")


def test_progress_without_a_terminal() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WORK.format(shown=True)], capture_output=True, text=True, check=True, timeout=60
    )
    assert (ran.stdout, ran.stderr) == ("result [\nresult b\n", "")
