"""The parent: gives hostile streams to a child process and sees whether it crashes, hangs or grows."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.faults.hostile.mutate import Hostile
from tests.faults.hostile.outcome import Outcome
from tests.processes import gone

_SILENT_S = 60.0
"""A child from which nothing is heard for so long hangs: each of its streams has a limit of its own."""
_SAYS_S = 1.0
_ROOT = Path(__file__).parents[3]


@dataclass
class Findings:
    """What became of the streams."""

    outcomes: list[Outcome] = field(default_factory=list)
    crashes: list[tuple[str, ...]] = field(default_factory=list)
    """How the child ended, and the streams it was watching."""
    hangs: list[tuple[str, ...]] = field(default_factory=list)
    """Where nothing was heard any more: the streams it was watching."""
    peak_mb: float = 0.0
    cpu_s: float = 0.0

    def summary(self) -> str:
        """In one line."""
        ends = Counter(outcome.end for outcome in self.outcomes)
        frames = sum(outcome.frames for outcome in self.outcomes)
        distrusted = sum(outcome.distrusted for outcome in self.outcomes)
        crops = sum(outcome.crops for outcome in self.outcomes)
        broken = sum(bool(outcome.broken_rules) for outcome in self.outcomes)
        failing = sum(outcome.failure is not None for outcome in self.outcomes)
        return (
            f"{len(self.outcomes)} streams: {dict(ends)}, {len(self.crashes)} crashes, {len(self.hangs)} hangs; "
            f"{frames} frames, {distrusted} distrusted, {crops} crops, {broken} broke a rule, "
            f"{failing} failed to be analysed; peak {self.peak_mb:.0f} MB, {self.cpu_s:.0f} s CPU"
        )

    def grown_mb(self, first: int) -> float:
        """Growth of the child's resident memory from after so many streams to its end; the least of some readings."""
        warm = [outcome.rss_mb for outcome in self.outcomes[:first]][-5:]
        end = [outcome.rss_mb for outcome in self.outcomes][-5:]
        return min(end) - min(warm)


@dataclass(frozen=True)
class Runner:
    """Watches streams in a child.

    Attributes:
        folder: where the streams are put.
        at_once: streams watched at the same time.
        live_s: how long a stream is watched at most.
        stall_s: of the streams.
        environment: more of the child's environment.
    """

    folder: Path
    at_once: int = 4
    live_s: float = 4.0
    stall_s: float = 10.0
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, streams: Sequence[Hostile], findings: Findings | None = None, rounds: int = 1) -> Findings:
        """Watches every stream so many times, in one child as long as that lives and in another after it."""
        findings = findings or Findings()
        lines = [f"{each.name} {self._put(each)}" for _ in range(rounds) for each in streams]
        while lines:
            lines = self._child(lines, findings)
        return findings

    def _put(self, hostile: Hostile) -> str:
        if hostile.url is not None:
            return hostile.url
        path = self.folder / f"{hostile.name}.{hostile.suffix}"
        path.write_bytes(hostile.payload)
        return f"file:{path}"

    def _child(self, lines: list[str], findings: Findings) -> list[str]:
        """Lets a child watch; returns what it has left over, less what it was watching when it died."""
        child = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.faults.hostile.watch",
                str(self.at_once),
                str(self.live_s),
                str(self.stall_s),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
            env={**os.environ, **self.environment},
        )
        process = psutil.Process(child.pid)
        assert child.stdin is not None
        assert child.stdout is not None
        heard: queue.SimpleQueue[str] = queue.SimpleQueue()
        listener = threading.Thread(target=_pass_on, args=(child.stdout, heard), daemon=True)
        listener.start()
        child.stdin.write("\n".join(lines) + "\n")
        child.stdin.close()

        begun: list[str] = []
        over: list[str] = []
        try:
            while line := heard.get(timeout=_SILENT_S):
                if line.startswith("begin "):
                    begun.append(line.split()[1])
                else:
                    findings.outcomes.append(Outcome.parse(line))
                    over.append(findings.outcomes[-1].name)
                    findings.peak_mb = max(findings.peak_mb, findings.outcomes[-1].peak_mb)
                if not gone(process):
                    cpu = process.cpu_times()
                    cpu_s = cpu.user + cpu.system
            code = child.wait(10)
        except queue.Empty:
            child.send_signal(signal.SIGUSR1)  # has it say where it is, to standard error
            time.sleep(_SAYS_S)
            code = None
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
            listener.join()
            child.stdout.close()
        findings.cpu_s += cpu_s
        underway = [name for name in begun if begun.count(name) > over.count(name)]
        if code is None:
            findings.hangs.append(tuple(underway))
        elif code != 0:
            findings.crashes.append((f"exit {code}", *underway))
        return [] if code == 0 else lines[len(begun) :]


def _pass_on(lines: Iterable[str], to: queue.SimpleQueue[str]) -> None:
    for line in lines:
        to.put(line)
    to.put("")
