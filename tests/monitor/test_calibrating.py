"""From footage to a promise, and from the promise to alerts that carry it: real clips, the bundled encoder."""

from __future__ import annotations

import io
import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import av
import pytest
import yaml
from rich.console import Console

from monitor.calibrating import calibrate_files, find_footage
from monitor.check import calibration_line, check
from monitor.config import MonitorConfig
from monitor.decision import Calibration, read_calibration
from monitor.decision.calibration import Session
from monitor.demo.clip import make_clip
from monitor.errors import ConfigError, MonitorError, SourceError
from monitor.parts import load_parts
from tests.monitor.service import RunningService, Subscriber
from tests.monitor.test_cli import monitor, written

SECONDS = 10


def config(**decision: object) -> MonitorConfig:
    return MonitorConfig.model_validate(
        {
            "streams": [{"name": "tape", "url": "file:tape.mp4"}],
            "encoder": {"weights": "demo"},
            "decision": {"min_blocks": 4, **decision},
        }
    )


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings of real people, and one in two chunks."""
    folder = tmp_path_factory.mktemp("footage")
    make_clip(folder / "monday.mp4", seconds=SECONDS, manipulated_from_s=math.inf, names=["astronaut", "t1-1"])
    make_clip(folder / "tuesday.mp4", seconds=SECONDS + 2, manipulated_from_s=math.inf, names=["t1-2", "astronaut"])
    chunks = folder / "wednesday"
    chunks.mkdir()
    for number, name in enumerate(["t1-1", "t1-2"]):
        make_clip(chunks / f"{number}.mp4", seconds=6, manipulated_from_s=math.inf, names=[name])
    return folder


@pytest.fixture(scope="module")
def made(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Calibration, Path, str]:
    out = tmp_path_factory.mktemp("out") / "lobby.json"
    told = io.StringIO()
    paths = [footage / "monday.mp4", footage / "tuesday.mp4", footage / "wednesday"]
    calibration = calibrate_files(paths, config(), out, console=Console(width=120, file=told))
    return calibration, out, told.getvalue()


def test_each_recording_is_a_session_and_chunks_of_one_are_one(made: tuple[Calibration, Path, str]) -> None:
    calibration, out, _ = made
    assert [session.name for session in calibration.sessions] == ["monday.mp4", "tuesday.mp4", "wednesday"]
    assert [len(session.peaks) for session in calibration.sessions] == [2, 2, 2]
    assert all(session.blocks >= SECONDS - 2 for session in calibration.sessions)
    assert calibration.session_hours * 3600 == pytest.approx(SECONDS, abs=0.2)
    assert read_calibration(out).sessions == calibration.sessions


def test_little_footage_promises_little_and_says_how_much_is_missing(made: tuple[Calibration, Path, str]) -> None:
    *_, told = made
    assert "3 sessions of 10 s, 6 tracks" in told
    assert "not enough sessions to tell drift: 5 with a face scored for 4 s needed" in told
    assert "calibrated: false; 0.1 a day cannot be promised" in told
    assert "240.0 h more of real footage needed" in told


def test_the_report_lies_beside_the_file_and_has_every_session(made: tuple[Calibration, Path, str]) -> None:
    calibration, out, told = made
    report = out.with_suffix(".html")
    assert f"{report} shows it" in told.replace("\n", "")
    assert all(f"{session.name}</th>" in report.read_text() for session in calibration.sessions)


def test_no_picture_is_kept(made: tuple[Calibration, Path, str]) -> None:
    _, out, _ = made
    assert out.stat().st_size < 5000


@pytest.fixture(scope="module")
def enough(made: tuple[Calibration, Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As if there had been a thousand such recordings."""
    calibration, *_ = made
    first = calibration.sessions[0].tracks[0]
    sessions = tuple(
        Session(name=f"s{n}", tracks=tuple(first.model_copy(update={"peak": peak}) for peak in (0.001 * n, 0.05)))
        for n in range(1000)
    )
    path = tmp_path_factory.mktemp("enough") / "lobby.json"
    calibration.model_copy(update={"sessions": sessions}).write(path)
    return path


def test_a_service_with_enough_sessions_raises_alerts_that_carry_the_promise(enough: Path, tmp_path: Path) -> None:
    """On the stream that is calibrated, and none on the other; nothing is taken over that a calibration is not of."""
    make_clip(tmp_path / "call.mp4", seconds=9, manipulated_from_s=0, names=["astronaut"])
    stream = {"name": "tape", "url": f"file:{tmp_path / 'call.mp4'}", "loop": True, "calibration": str(enough)}
    plain = {**stream, "name": "plain", "calibration": None}
    decision = {"false_alarms_per_stream_day": 20, "min_blocks": 4, "threshold": 7}
    settings: dict[str, Any] = {"streams": [stream, plain], "decision": decision, "mqtt": {"url": "embedded:"}}
    with (
        RunningService(tmp_path, settings) as service,
        Subscriber(service.mqtt_port, "gend/alerts/tape") as tape,
        Subscriber(service.mqtt_port, "gend/alerts/plain") as other,
    ):
        alert = tape.wait_for("gend/alerts/tape", type="raised")
        without = other.wait_for("gend/alerts/plain", type="raised")
        others = {**settings, "decision": {**decision, "session_hours": 3}}
        service.path.write_text(yaml.safe_dump(yaml.safe_load(service.path.read_text()) | others))
        service.wait_for_log(
            f"the configuration is not taken over: streams.tape.calibration: {enough}: made for sessions of"
        )
    assert (without["calibrated"], without["false_alarms_promised_per_stream_day"]) == (False, None)
    assert without["threshold"] == 7 != alert["threshold"]
    assert alert["calibrated"] is True
    assert alert["false_alarms_target_per_stream_day"] == 20
    assert 0 < alert["false_alarms_promised_per_stream_day"] <= 20
    assert alert["evidence"] >= alert["threshold"] > 0.9
    assert any(notice.startswith("odds: about") for notice in alert["notices"])


def test_a_calibration_of_another_encoder_ends_with_2_and_nothing_is_started(
    made: tuple[Calibration, Path, str], tmp_path: Path
) -> None:
    calibration, *_ = made
    other = calibration.encoder.model_copy(update={"weights": "others", "sha256": "cd" * 32})
    calibration.model_copy(update={"encoder": other}).write(tmp_path / "other.json")
    path = written(tmp_path / "monitor.yaml", decision={"calibration": str(tmp_path / "other.json")})
    result = monitor("run", path)
    assert result.returncode == 2
    line = result.stderr.splitlines()[-1]
    assert line.startswith(f"error: decision.calibration: {tmp_path / 'other.json'}: made for the encoder others (cdcd")
    assert line.endswith("(stream tape); calibrate again")
    assert not (tmp_path / "alerts.db").exists()


@pytest.mark.parametrize(
    ("faces", "decision", "said"),
    [
        ({"crops_per_s": 3}, {}, "made with faces.crops_per_s 1, but it is 3 here"),
        ({}, {"session_hours": 2}, "made for sessions of 0.00278 h, but decision.session_hours is 2"),
    ],
)
def test_other_sampling_and_other_sessions_are_refused_with_both(
    made: tuple[Calibration, Path, str], faces: dict[str, float], decision: dict[str, float], said: str
) -> None:
    _, out, _ = made
    tree = config(calibration=str(out), **decision).model_dump(exclude_unset=True, mode="json")
    tree["streams"] = [{"name": "tape", "url": "file:tape.mp4"}]
    with pytest.raises(ConfigError, match=r"decision\.calibration") as refused:
        load_parts(MonitorConfig.model_validate({**tree, "faces": faces}))
    assert said in str(refused.value)


def test_each_stream_s_calibration_is_refused_on_its_own(made: tuple[Calibration, Path, str], tmp_path: Path) -> None:
    calibration, out, _ = made
    area = [(0.0, 0.0), (0.1, 0.0), (0.1, 0.1)]
    cut = tmp_path / "gate.json"
    calibration.model_copy(
        update={"policy": {**calibration.policy, "ignore": [[list(point) for point in area]]}}
    ).write(cut)

    def streams(lobby: Path | None, gate: Path | None, decision: Path | None = None) -> MonitorConfig:
        described = [
            {"name": "lobby", "url": "file:a.mp4", "calibration": lobby},
            {"name": "gate", "url": "file:b.mp4", "ignore": [area], "calibration": gate},
        ]
        asked = {"min_blocks": 4, "calibration": decision}
        return MonitorConfig.model_validate({"streams": described, "encoder": {"weights": "demo"}, "decision": asked})

    parts = load_parts(streams(out, cut))
    for stream, own in (("lobby", out), ("gate", cut)):
        assert parts.calibrations.of(stream) == read_calibration(own)
    assert parts.calibrations.of("a-recording") is None  # whose is of nobody knows what
    assert load_parts(streams(None, cut)).calibrations.streams == ("gate",)
    both = load_parts(streams(None, cut, decision=out)).calibrations
    assert both.of("lobby") == both.of("a-recording") == read_calibration(out)
    with pytest.raises(ConfigError, match=r"^streams\.gate\.calibration: .*lobby\.json: made with ignore \[\], but "):
        load_parts(streams(out, out))
    with pytest.raises(ConfigError, match=r"^decision\.calibration: .*gate\.json: .* \(stream lobby\); calibrate"):
        load_parts(streams(None, out, decision=cut))
    with pytest.raises(ConfigError, match=r"^streams\.lobby\.calibration: .*gone\.json: cannot be read"):
        load_parts(streams(tmp_path / "gone.json", None))


@pytest.mark.anyio
async def test_check_says_of_each_stream_what_is_promised(
    made: tuple[Calibration, Path, str], enough: Path, tmp_path: Path
) -> None:
    _, little, _ = made
    edited = tmp_path / "edited.json"
    edited.write_text(enough.read_text().replace("0.5", "0.4"))
    streams = [
        {"name": "lobby", "url": "file:/gone.mp4", "calibration": enough},
        {"name": "gate", "url": "file:/gone.mp4"},
        {"name": "yard", "url": "file:/gone.mp4", "calibration": edited},
        {"name": "hall", "url": "file:/gone.mp4", "calibration": enough, "adapter": "tuned"},
    ]
    settings = MonitorConfig.model_validate(
        {
            "streams": streams,
            "encoder": {"weights": "demo", "adapters": {"tuned": "tuned.safetensors"}},
            "decision": {"min_blocks": 4, "false_alarms_per_stream_day": 20, "calibration": little},
            "mqtt": {"url": "embedded:"},
        }
    )
    report = await check(settings, timeout_s=5)
    assert [each.stream for each in report.calibrations] == ["lobby", "gate", "yard", "hall"]
    lobby, gate, yard, hall = report.calibrations
    assert lobby.kept
    assert 0 < (lobby.promised_per_day or 0) <= 20
    assert "false alarms a day are promised" in calibration_line(lobby)
    assert (gate.file, gate.kept) == (str(little), False)
    assert re.search(r"not the 20 asked for; .* more of real footage needed", calibration_line(gate))
    assert "streams.yard.calibration" in (yard.error or "")
    assert "was changed after it was made" in (yard.error or "")
    assert "adapter None), but demo" in (hall.error or "")
    assert "adapter tuned) is used" in (hall.error or "")
    assert not report.ok
    bare = settings.model_copy(update={"decision": settings.decision.model_copy(update={"calibration": None})})
    gate = (await check(bare, timeout_s=5)).calibrations[1]
    assert gate.file is None
    assert calibration_line(gate) == "gate: no calibration: false alarms are not measured"


def test_streams_that_differ_want_to_be_named(footage: Path, tmp_path: Path) -> None:
    tree = {"encoder": {"weights": "demo"}}
    area = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    streams = [{"name": "lobby", "url": "file:a.mp4"}, {"name": "gate", "url": "file:b.mp4", "ignore": [area]}]
    differing = MonitorConfig.model_validate({**tree, "streams": streams})
    with pytest.raises(ConfigError, match="--stream: streams differ in adapter or ignore"):
        calibrate_files([footage / "monday.mp4"], differing, tmp_path / "out.json")
    with pytest.raises(ConfigError, match="--stream: no stream is called door; there are lobby, gate"):
        calibrate_files([footage / "monday.mp4"], differing, tmp_path / "out.json", stream="door")
    with pytest.raises(MonitorError, match="footage without faces"):  # all of it is ignored there
        calibrate_files([footage / "monday.mp4"], differing, tmp_path / "out.json", stream="gate")


def test_footage_that_breaks_off_before_its_end_is_refused(footage: Path, tmp_path: Path) -> None:
    """A Matroska file tells its length in the beginning, whatever became of the rest."""
    whole, broken = tmp_path / "whole.mkv", tmp_path / "broken.mkv"
    with av.open(footage / "monday.mp4") as source, av.open(whole, "w") as target:
        video = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                target.mux(packet)
    broken.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(MonitorError, match=r"broken\.mkv: ends after . s, though it says it is longer"):
        calibrate_files([broken], config(), tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


def test_footage_given_twice_is_refused(footage: Path, tmp_path: Path) -> None:
    shutil.copy(footage / "monday.mp4", tmp_path / "copy.mp4")
    with pytest.raises(ConfigError, match=r"copy\.mp4: the same footage as .*monday\.mp4"):
        find_footage([footage / "monday.mp4", tmp_path / "copy.mp4"])


def test_footage_shorter_than_a_session_is_refused(footage: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"monday\.mp4: 0\.00278 h long, a session is 1 h"):
        calibrate_files([footage / "monday.mp4"], config(), tmp_path / "out.json", session_hours=1)


def test_empty_folders_and_files_without_video_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="empty: a folder without video"):
        find_footage([tmp_path / "empty"])
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(SourceError, match=r"text\.mp4"):
        find_footage([tmp_path / "text.mp4"])


def test_footage_without_faces_makes_no_file(tmp_path: Path) -> None:
    make_clip(tmp_path / "empty.mp4", seconds=3, manipulated_from_s=math.inf, names=["astronaut"])
    far = config()
    far = far.model_copy(update={"faces": far.faces.model_copy(update={"min_face_px": 900})})
    with pytest.raises(MonitorError, match="footage without faces"):
        calibrate_files([tmp_path / "empty.mp4"], far, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


def test_the_command_writes_a_file_and_ends_with_0(footage: Path, tmp_path: Path) -> None:
    out = tmp_path / "lobby.json"
    # The configuration may already name what is not there yet.
    stream = {"name": "tape", "url": "file:/nowhere.mp4", "calibration": str(out)}
    config = written(tmp_path / "c.yaml", streams=[stream])
    result = monitor("calibrate", footage / "monday.mp4", "--config", config, "--out", out)
    assert result.returncode == 0, result.stderr
    assert "1 session of 10 s" in result.stdout
    assert "calibrated: false" in result.stdout
    assert json.loads(out.read_text())["encoder"]["weights"] == "demo"
    assert f"{tmp_path / 'lobby.html'} shows it" in result.stdout
    assert "Calibration lobby.json" in (tmp_path / "lobby.html").read_text()
