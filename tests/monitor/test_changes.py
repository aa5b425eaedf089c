from __future__ import annotations

from typing import Any

import pytest

from monitor.changes import changes
from monitor.config import MonitorConfig

_STREAMS = [
    {"name": "lobby", "url": "rtsp://camera.example/1"},
    {"name": "gate", "url": "rtsp://camera.example/2", "adapter": "door"},
]


def config(**sections: Any) -> MonitorConfig:
    return MonitorConfig.model_validate(
        {"streams": _STREAMS, "encoder": {"adapters": {"door": "d", "hall": "h"}}, **sections}
    )


def compared(wanted: MonitorConfig, *recalibrated: str) -> tuple[list[str], list[str], list[str]]:
    found = changes(config(), wanted, recalibrated)
    return [stream.name for stream in found.begun], list(found.gone), list(found.waiting)


def with_gate(**fields: Any) -> MonitorConfig:
    return config(streams=[_STREAMS[0], _STREAMS[1] | fields])


def test_nothing_begins_anew_where_nothing_has_changed() -> None:
    assert compared(config()) == ([], [], [])


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "rtsp://camera.example/3"},
        {"stall_s": 4},
        {"ignore": [[(0, 0), (1, 0), (1, 1)]]},
        {"detect_url": "rtsp://camera.example/sub"},
    ],
)
def test_a_stream_that_has_changed_begins_anew_alone(fields: dict[str, Any]) -> None:
    assert compared(with_gate(**fields)) == (["gate"], [], [])


def test_streams_come_and_go() -> None:
    porch = {"name": "porch", "url": "rtsp://camera.example/3"}
    assert compared(config(streams=[_STREAMS[1], porch])) == (["porch"], ["lobby"], [])


@pytest.mark.parametrize("adapter", ["hall", None])
def test_another_adapter_is_the_encoder_s_business(adapter: str | None) -> None:
    assert compared(with_gate(adapter=adapter)) == ([], [], [])


def test_a_stream_with_another_calibration_begins_anew() -> None:
    assert compared(config(), "gate") == (["gate"], [], [])


@pytest.mark.parametrize(
    "sections",
    [{"faces": {"min_face_px": 60}}, {"decision": {"threshold": 5}}, {"workers": {"isolation": "thread"}}],
)
def test_all_begin_anew_where_all_are_watched_or_judged_otherwise(sections: dict[str, Any]) -> None:
    assert compared(config(**sections)) == (["lobby", "gate"], [], [])


def test_what_cannot_be_taken_over_waits_for_a_restart_and_is_named() -> None:
    wanted = config(
        web={"port": 9000},
        mqtt={"prefix": "other", "keepalive_s": 5},
        faces={"detector": "yunet"},
        evidence={"folder": "evidence"},
    )
    assert compared(wanted) == ([], [], ["faces.detector", "mqtt.prefix", "mqtt.keepalive_s", "evidence", "web.port"])
