"""Runs an isolated worker on a camera until it is killed; run by `test_supervisor.py`. Prints the worker's process."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.monitor.isolation.test_supervisor import _running, _Watched


def main(url: str, folder: Path) -> None:
    with _running(_Watched(url, folder)) as watched:
        print(watched.pid(), flush=True)
        time.sleep(1000)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
