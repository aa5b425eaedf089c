"""What it costs the service that ten browsers show the board of four streams, instead of one.

The service runs in processes of its own, whose CPU time is read, on four recordings as live streams; Chromium looks on,
which is not counted. No browser, one and ten take turns, so that what else the machine does falls on all alike.

Run: python -m benchmarks.board [--seconds 15] [--rounds 3]
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from benchmarks.machine import described
from monitor.demo.clip import make_clip
from tests.monitor.service import RunningService

_STREAMS = 4
_LOOKING = (0, 1, 10)
_SETTLE_S = 4.0


def _cpu_s(process: psutil.Process) -> float:
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def _look(browser: Browser, url: str, looking: int) -> list[BrowserContext]:
    contexts = [browser.new_context() for _ in range(looking)]
    for context in contexts:
        page = context.new_page()
        page.goto(url)
        page.wait_for_function(f"document.querySelectorAll('.tile img:not([hidden])').length === {_STREAMS}")
    return contexts


def _measured(browser: Browser, service: RunningService, looking: int, seconds: float) -> float:
    """CPU time of the service in seconds a second, while so many look."""
    assert service.process is not None
    process = psutil.Process(service.process.pid)
    contexts = _look(browser, service.web_url, looking)
    time.sleep(_SETTLE_S)
    began_s, began_cpu_s = time.monotonic(), _cpu_s(process)
    time.sleep(seconds)
    spent = (_cpu_s(process) - began_cpu_s) / (time.monotonic() - began_s)
    for context in contexts:
        context.close()
    return spent


def main() -> None:
    """Measures, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="times that all of them take turns")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        parser.error("chromium is not installed")
    print(described())
    spent: dict[int, list[float]] = {looking: [] for looking in _LOOKING}
    with tempfile.TemporaryDirectory() as name, sync_playwright() as tool:
        folder = Path(name)
        make_clip(folder / "clip.mp4", seconds=20, manipulated_from_s=99, names=["astronaut"])
        streams = [{"name": f"s{n}", "url": f"file:{folder}/clip.mp4", "loop": True} for n in range(_STREAMS)]
        browser = tool.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with RunningService(folder, {"streams": streams, "mqtt": {"url": "embedded:"}}) as service:
            time.sleep(_SETTLE_S)
            for _ in range(arguments.rounds):
                for looking in _LOOKING:
                    spent[looking].append(_measured(browser, service, looking, arguments.seconds))
        browser.close()
    print("\nbrowsers  CPU of the service, of a core: median (each)")
    for looking, each in spent.items():
        told = ", ".join(f"{100 * one:.1f}" for one in each)
        print(f"{looking:8d}  {100 * statistics.median(each):.1f} % ({told})")
    more = statistics.median(ten - one for one, ten in zip(spent[1], spent[10], strict=True))
    print(f"\nten browsers cost {100 * more:.1f} % of a core more than one")


if __name__ == "__main__":
    main()
