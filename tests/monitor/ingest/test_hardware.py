"""Decoders outside of the processor; the machines of tests have none."""

from __future__ import annotations

from pathlib import Path

import pytest
from av.codec.hwaccel import hwdevices_available

from monitor.errors import SourceError
from monitor.ingest.hardware import hardware_decoder
from tests.monitor.ingest.watching import Watched


def test_nothing_is_asked_for_by_default() -> None:
    assert hardware_decoder(None) is None


def test_a_kind_that_ffmpeg_does_not_know_is_refused_by_name() -> None:
    with pytest.raises(SourceError, match="hardware warp: this build of FFmpeg knows "):
        hardware_decoder("warp")


def test_a_stream_says_which_hardware_it_cannot_have(clip: Path) -> None:
    kinds = hwdevices_available()
    if not kinds:
        pytest.skip("this build of FFmpeg knows no hardware")
    for kind in kinds:
        with Watched(f"file:{clip}", hardware=f"{kind}:99") as watched:
            watched.wait_for("connecting", reason=f"cannot open: hardware {kind}")
        assert not watched.frames
