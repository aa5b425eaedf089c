"""What one stream has brought so far, counted by the thread that reads it and read by any."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_RATE_S = 5.0
_FRESH_S = 1.0


@dataclass(slots=True, eq=False)
class Tally:
    """Counts over all connections of one stream."""

    connections: int = 0
    bytes: int = 0
    packets_corrupt: int = 0
    """Packets that are marked as damaged, and losses on the way to one."""
    decode_errors: int = 0
    """Packets that could not be decoded, and pictures with parts that had to be guessed."""
    frames: int = 0
    distrusted: int = 0
    unwanted: int = 0
    skipped: int = 0
    """Pictures that were left undecoded, on purpose."""
    outrun: int = 0
    """Pictures for which a decoder was too slow."""
    decode_s: float = 0.0
    """Processor seconds spent in decoders; what hardware decodes takes none."""
    _arrivals: deque[float] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """What this thread spends meanwhile is spent decoding."""
        begun_s = time.thread_time()
        try:
            yield
        finally:
            self.decode_s += time.thread_time() - begun_s

    def arrived(self, at_s: float) -> None:
        """A frame came, and was decoded."""
        self.frames += 1
        self.came(at_s)

    def came(self, at_s: float) -> None:
        """A frame came, to be decoded or not."""
        with self._lock:
            self._arrivals.append(at_s)
            self._forget(at_s)

    def fps(self, now_s: float) -> float:
        """Frames that came per second, decoded or not, over the last seconds; falls to 0 when they stop coming."""
        with self._lock:
            self._forget(now_s)
            if len(self._arrivals) < 2:
                return 0.0
            first_s, last_s = self._arrivals[0], self._arrivals[-1]
            span_s = max(last_s - first_s, now_s - first_s - _FRESH_S)
            return (len(self._arrivals) - 1) / span_s if span_s > 0 else 0.0

    def _forget(self, now_s: float) -> None:
        while self._arrivals and self._arrivals[0] < now_s - _RATE_S:
            self._arrivals.popleft()
