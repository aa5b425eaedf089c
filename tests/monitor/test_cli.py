"""The command line as a shell sees it: exit codes, one line per error, nothing half-started."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from monitor.demo.clip import make_clip
from monitor.evidence.signing import load_signer
from tests.monitor.evidence.examples import a_case
from tests.monitor.evidence.examples import written as written_packages
from tests.monitor.service import RunningService
from tests.webhook_receiver import Receiver


def monitor(
    *arguments: str | Path, timeout_s: float = 60, typed: str | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "monitor", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False, input=typed)


def written(path: Path, **sections: object) -> Path:
    tree = {
        "streams": [{"name": "tape", "url": "file:/nowhere.mp4"}],
        "encoder": {"weights": "demo"},
        "mqtt": {"url": "embedded:"},
        "store": {"url": f"sqlite+aiosqlite:///{path.parent / 'alerts.db'}"},
        **sections,
    }
    path.write_text(yaml.safe_dump(tree))
    return path


def test_help_tells_every_command_with_an_example() -> None:
    overview = monitor("--help")
    assert overview.returncode == 0
    commands = (
        "run",
        "check",
        "demo",
        "replay",
        "calibrate",
        "alerts",
        "review",
        "reviews",
        "snooze",
        "verify",
        "schema",
        "audit",
    )
    users = ("user add", "user list", "user role", "user password", "user delete")
    tokens = ("token add", "token list", "token revoke")
    for command in (*commands, "notify test", *users, *tokens):
        assert command.split()[0] in overview.stdout
        assert "Example: gend-monitor " + command in monitor(*command.split(), "--help").stdout


def test_schema_describes_the_configuration() -> None:
    schema = json.loads(monitor("schema").stdout)
    assert schema["required"] == ["streams"]
    assert schema["additionalProperties"] is False


def test_bad_usage_ends_with_2() -> None:
    assert monitor("run").returncode == 2
    assert monitor("fly").returncode == 2
    assert monitor("demo", "--timeout-s", "soon").returncode == 2
    assert monitor("demo", "--detector", "foo").returncode == 2
    unreadable = monitor("demo", "--detector", "scrfd:no-such.onnx")
    assert (unreadable.returncode, unreadable.stdout) == (1, "")
    assert "no-such.onnx" in unreadable.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ((), "give either FOOTAGE, --live, --learnt or --from-reviews; none of them is there"),
        (("a.mp4", "--live"), "give either FOOTAGE, --live, --learnt or --from-reviews; not FOOTAGE and --live"),
        (("--learnt", "--from-reviews"), "or --from-reviews; not --learnt and --from-reviews"),
        (("--learnt", "--days", "3"), "--days: goes with --live"),
    ],
)
def test_a_calibration_is_of_one_thing(asked: tuple[str, ...], said: str, tmp_path: Path) -> None:
    result = monitor("calibrate", *asked, "--config", written(tmp_path / "m.yaml"), "--out", tmp_path / "out.json")
    assert (result.returncode, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert said in result.stderr


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_wrong_configuration_ends_with_2_and_one_line_per_fault(command: str, tmp_path: Path) -> None:
    config = written(tmp_path / "m.yaml", streams=[{"name": "a", "url": "rtsp://x/y", "colour": 1}], nonsense=2)
    result = monitor(command, config)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"error: {config}: streams.a.colour: unknown key",
        f"error: {config}: nonsense: unknown key",
    ]
    assert "Traceback" in monitor(command, config, "--debug").stderr


def test_a_certificate_that_cannot_be_used_ends_with_2_and_nothing_is_started(tmp_path: Path) -> None:
    config = written(tmp_path / "m.yaml", mqtt={"url": "mqtts://127.0.0.1:1", "ca": "none.pem"})
    result = monitor("run", config)
    assert (result.returncode, result.stderr.splitlines()[-1]) == (2, "error: mqtt.ca: none.pem: no such file")
    assert [path.name for path in tmp_path.iterdir()] == ["m.yaml"]


def test_a_protocol_that_ffmpeg_lacks_ends_with_2(tmp_path: Path) -> None:
    result = monitor("run", written(tmp_path / "m.yaml", streams=[{"name": "far", "url": "srt://127.0.0.1:9"}]))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "error: streams.far.url: this build of FFmpeg does not speak srt:\n"


def test_missing_weights_end_with_1_and_nothing_is_started(tmp_path: Path) -> None:
    config = written(tmp_path / "m.yaml", encoder={"weights": str(tmp_path / "none.safetensors")})
    result = monitor("run", config)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "none.safetensors" in result.stderr
    assert not (tmp_path / "alerts.db").exists()


def test_a_port_in_use_ends_with_1_and_nothing_is_started(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = monitor("run", written(tmp_path / "m.yaml", web={"port": port}))
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(f"error: web.port: cannot listen on 127.0.0.1:{port}: ")
    assert not (tmp_path / "alerts.db").exists()


def test_check_as_json_follows_the_contract(tmp_path: Path) -> None:
    result = monitor("check", written(tmp_path / "m.yaml"), "--json", "--timeout-s", "5")
    report = json.loads(result.stdout)
    assert result.returncode == 1
    assert report["ok"] is False
    assert [each["stream"] for each in report["calibrations"]] == ["tape"]
    assert set(report["streams"][0]) == {"name", "ok", "codec", "width", "height", "fps", "error", "note"}
    assert report["streams"][0]["name"] == "tape"


def test_check_says_whether_targets_are_understood_and_sends_nothing(tmp_path: Path) -> None:
    with Receiver() as receiver:
        targets = [
            {"name": "siem", "webhook": receiver.url, "secret": "correct horse battery"},
            {"name": "guard", "url": "nonsense://s3cret-token/x"},
        ]
        config = written(tmp_path / "m.yaml", notify=targets)
        shown = monitor("check", config, "--timeout-s", "5").stdout
        report = json.loads(monitor("check", config, "--json", "--timeout-s", "5").stdout)
    assert "notify.siem: understood: webhook at 127.0.0.1" in shown.splitlines()
    assert [target["ok"] for target in report["notify"]] == [True, False]
    assert report["notify"][1]["error"].startswith("notify.guard.url: apprise does not understand this address")
    assert "s3cret" not in shown
    assert receiver.requests == []


def test_a_target_that_is_not_understood_ends_with_2_and_nothing_is_started(tmp_path: Path) -> None:
    result = monitor("run", written(tmp_path / "m.yaml", notify=[{"name": "guard", "url": "nonsense://s3cret/x"}]))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: notify.guard.url: apprise does not understand this address")
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "alerts.db").exists()


def test_one_notification_can_be_tried(tmp_path: Path) -> None:
    with Receiver() as receiver:
        target = {"name": "siem", "webhook": receiver.url, "secret": "correct horse battery"}
        config = written(tmp_path / "m.yaml", notify=[target])
        taken = monitor("notify", "test", config, "siem")
        receiver.answer = lambda _: 401
        refused = monitor("notify", "test", config, "siem")
    unknown = monitor("notify", "test", config, "guard")
    assert (taken.returncode, taken.stdout) == (0, "siem has taken it\n")
    assert receiver.taken[0].json()["notices"] == ["this is a test of the notification, nothing was detected"]
    assert (refused.returncode, refused.stderr) == (1, "error: notify.siem: answered 401 Unauthorized\n")
    assert (unknown.returncode, unknown.stderr.count("\n")) == (2, 1)
    assert "no target is called guard; there are: siem" in unknown.stderr
    assert not (tmp_path / "alerts.db").exists()


def test_replay_of_no_video_is_one_line(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("no video")
    result = monitor("replay", text, "--weights", "demo")
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {text}: ")
    assert len(result.stderr.splitlines()) == 1


def test_alerts_without_a_store_says_so(tmp_path: Path) -> None:
    result = monitor("alerts", "--config", written(tmp_path / "m.yaml"))
    assert result.returncode == 1
    assert "alerts.db: no such file" in result.stderr


def test_verify_exit_codes_and_lines(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    (package,) = written_packages(folder, a_case())
    fingerprint = load_signer(folder / "signing-key.pem").fingerprint
    known = monitor("verify", folder, "--key", fingerprint)
    assert (known.returncode, known.stdout) == (0, f"{package}: intact, signed by {fingerprint}\n")
    unknown = monitor("verify", package)
    assert (unknown.returncode, unknown.stdout) == (0, f"{package}: intact, signer unknown (key {fingerprint})\n")
    other = monitor("verify", package, "--key", "0" * 64)
    assert other.returncode == 1
    assert other.stdout == f"{package}: NOT AS IT WAS SIGNED\n  signer.pem: other signer: {fingerprint}\n"
    (package / "alert.json").write_text("{}")
    (package / "crops" / "01.png").unlink()
    (package / "more.txt").write_text("")
    changed = monitor("verify", folder)
    assert changed.returncode == 1
    assert sorted(changed.stdout.splitlines()[1:]) == [
        "  alert.json: changed",
        "  crops/01.png: missing",
        "  more.txt: extra: it is not in the manifest",
    ]
    as_json = json.loads(monitor("verify", folder, "--json").stdout)
    assert (as_json["ok"], as_json["packages"][0]["path"], as_json["packages"][0]["intact"]) == (
        False,
        str(package),
        False,
    )
    assert {"file": "alert.json", "what": "changed"} in as_json["packages"][0]["faults"]
    nowhere = monitor("verify", tmp_path / "nowhere")
    assert (nowhere.returncode, nowhere.stderr) == (2, f"error: {tmp_path / 'nowhere'}: no such folder\n")
    assert monitor("verify", package, "--key", "short").returncode == 2


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "call.mp4"
    make_clip(path, seconds=16, manipulated_from_s=0, names=["astronaut"])
    return path


def test_demo_ends_with_0_at_the_first_alert() -> None:
    result = monitor("demo", "--until-alert", "--timeout-s", "120", timeout_s=150)
    assert result.returncode == 0, result.stderr
    (line,) = result.stdout.splitlines()
    assert "RAISED  demo-call track" in line
    assert "demo encoder: not for real use" in line


def test_demo_ends_with_1_when_time_is_over() -> None:
    result = monitor("demo", "--until-alert", "--timeout-s", "1")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1] == "no alert within 1 s"


def test_replay_prints_alerts_and_a_table_of_tracks(call: Path) -> None:
    result = monitor("replay", call, "--weights", "demo")
    assert result.returncode == 0, result.stderr
    raised, cleared, *table = result.stdout.splitlines()
    assert "RAISED replay-1: evidence reached the threshold" in raised
    assert "CLEARED replay-1: track ended" in cleared
    assert any("replay-1" in line and "fake" in line for line in table)


def test_replay_as_json_is_one_alert_per_line(call: Path) -> None:
    result = monitor("replay", call, "--weights", "demo", "--json")
    alerts = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(alert["type"], alert["stream"], alert["sequence"]) for alert in alerts] == [
        ("raised", "call", 1),
        ("cleared", "call", 2),
    ]
    assert alerts[0]["alert_id"] == alerts[1]["alert_id"]


def test_alerts_prints_what_a_service_has_recorded_and_follows_it(call: Path, tmp_path: Path) -> None:
    config = {"streams": [{"name": "tape", "url": f"file:{call}"}], "mqtt": {"url": "embedded:"}}
    with RunningService(tmp_path, config) as service:
        following = subprocess.Popen(
            [sys.executable, "-m", "monitor", "alerts", "--config", service.path, "--follow", "--json"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert following.stdout is not None
        followed = [json.loads(following.stdout.readline()) for _ in range(2)]
        following.kill()
        following.wait()
        following.stdout.close()
        service.terminate()
    past = [json.loads(line) for line in monitor("alerts", "--config", service.path, "--json").stdout.splitlines()]
    assert past[:2] == followed
    assert [alert["type"] for alert in past] == ["raised", "cleared"]
    (newest,) = monitor("alerts", "--config", service.path, "--limit", "1").stdout.splitlines()
    assert "tape #2 cleared 1-1" in newest
