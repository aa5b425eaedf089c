"""Which reader reads which stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, runtime_checkable

from monitor.clock import Clock
from monitor.ingest.depth import Needs
from monitor.ingest.paired_reader import PairedReader
from monitor.ingest.reader import Reader
from monitor.ingest.ring import PacketRing
from monitor.ingest.status import ReaderStatistics, SourceStatus
from monitor.messages import Frame, Leave, Offer, Reply
from monitor.stream_config import PUBLISHED, PULLED, StreamConfig
from monitor.webrtc_config import WebRtcConfig


class StreamReader(Protocol):
    """What a stream's worker needs of whatever reads the stream."""

    def start(self) -> None:
        """Starts to read, once. Returns at once."""

    def ask_to_stop(self) -> None:
        """Ends reading, and leaves it to `stop` to wait for that."""

    def stop(self, timeout_s: float) -> bool:
        """Ends reading and waits for that; False where a thread is left behind."""

    def statistics(self) -> ReaderStatistics:
        """A snapshot; may be asked for from any thread."""


@runtime_checkable
class TakesPublishers(Protocol):
    """A reader of a stream that others send to us."""

    def publish(self, request: Offer | Leave) -> None:
        """Takes a publisher, or lets one go. Returns at once; any thread may ask."""


def new_reader(
    config: StreamConfig,
    *,
    on_frame: Callable[[Frame], None],
    on_status: Callable[[SourceStatus], None],
    clock: Clock,
    wanted: Callable[[float], bool],
    ring: PacketRing | None,
    webrtc: WebRtcConfig,
    on_reply: Callable[[Reply], None],
    needs: Needs,
    crops_per_s: Callable[[], float],
    crop_due: Callable[[], bool],
) -> StreamReader:
    """What reads a stream, by the scheme of its URL.

    Args:
        config: what to read.
        on_frame: takes every frame that is wanted.
        on_status: takes every change of state.
        clock: tells when frames arrive.
        wanted: asked with a frame's `at_s` before it is handed on.
        ring: keeps the packets of the last seconds; None: none are kept.
        webrtc: how publishers reach it.
        on_reply: takes the answers to publishers.
        needs: what is needed of the pictures, others being left undecoded; WebRTC's are all decoded.
        crops_per_s: crops that are asked for of one face, per second, at the most; 0 where nothing is asked for.
        crop_due: whether a crop will be due by the next analysis.
    """
    if config.scheme == PUBLISHED:
        # Imported where needed: aiortc brings 20 MB that other workers do without.
        from monitor.ingest.webrtc.published import PublishedReader  # noqa: PLC0415

        return PublishedReader(
            config, webrtc, on_frame=on_frame, on_status=on_status, clock=clock, wanted=wanted, ring=ring,
            on_reply=on_reply,
        )  # fmt: skip
    if config.scheme in PULLED:
        from monitor.ingest.webrtc.pulled import PulledReader  # noqa: PLC0415

        return PulledReader(
            config, webrtc, on_frame=on_frame, on_status=on_status, clock=clock, wanted=wanted, ring=ring
        )
    small = config.substream()
    if small is not None:
        return PairedReader(
            config, small, on_frame=on_frame, on_status=on_status, clock=clock, wanted=wanted, ring=ring,
            needs=replace(needs, crops_per_s=crops_per_s), crop_due=crop_due,
        )  # fmt: skip
    return Reader(config, on_frame=on_frame, on_status=on_status, clock=clock, wanted=wanted, ring=ring, needs=needs)
