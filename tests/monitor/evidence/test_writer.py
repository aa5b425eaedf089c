"""The thread that writes packages: within their bounds, whole or not there, and shed before anything else suffers."""

from __future__ import annotations

import json
import logging
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from monitor import payloads
from monitor.config import EvidenceConfig
from monitor.errors import EvidenceError
from monitor.evidence import EvidenceKeeper, verify
from monitor.evidence.writer import Job
from monitor.messages import Clip, Crop, Logit, ModelIdentity
from tests.monitor.evidence.examples import NOW, a_case, a_job, packages, running, written
from tests.monitor.store.examples import an_alert
from tests.waiting import wait_until


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def intact(folder: Path) -> bool:
    return all(found.intact for found in verify(folder, None))


def test_a_package_holds_the_alert_the_crops_and_the_clip_as_they_were(tmp_path: Path) -> None:
    case = a_case(crops=2)
    (package,) = written(tmp_path, case, clip=b"a clip")
    assert package == tmp_path / "lobby" / "20260131T120005Z-episode-1"
    assert (package / "alert.json").read_text() == case.published + "\n"
    assert (package / "clip.mp4").read_bytes() == b"a clip"
    for number, crop in enumerate(case.seen.crops, start=1):
        with Image.open(package / "crops" / f"{number:02}.png") as picture:
            assert np.array_equal(np.asarray(picture), crop.pixels)
    drawn = ET.parse(package / "timeline.svg").getroot()
    dots = [element for element in drawn.iter() if element.tag.endswith("circle")]
    assert len(dots) == len(case.seen.logits)
    assert [dot.get("class") for dot in dots][:2] == ["fake", "real"]
    assert not list((tmp_path / ".unfinished").iterdir())


def test_text_from_outside_is_escaped_on_the_page(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>\"'&"
    case = a_case(reason=hostile, track=hostile, notices=(hostile,))
    model = replace(case.alert.model, weights=hostile, adapter=hostile)
    (package,) = written(tmp_path, replace(case, alert=replace(case.alert, model=model)))
    page = (package / "index.html").read_text()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 5
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; img-src data:; style-src 'sha256-")


def test_the_page_says_whether_the_alert_is_calibrated_and_why_there_is_no_clip(tmp_path: Path) -> None:
    calibrated = a_case(2, calibrated=True, false_alarms_promised_per_stream_day=0.05, notices=())
    first, second = written(tmp_path, a_case(1), calibrated)
    assert "Not calibrated:" in (first / "index.html").read_text()
    page = (second / "index.html").read_text()
    assert "Calibrated: 0.05 false alarms a day and stream are promised at the most" in page
    assert "There is none: clips are turned off" in page


def test_megabytes_hold_after_each_package_and_at_start(tmp_path: Path) -> None:
    cases = [a_case(number, crops=2, at=NOW + timedelta(seconds=number)) for number in range(8)]
    with running(tmp_path, max_mb=2) as writer:  # each has 0.75 MB
        for number, case in enumerate(cases, start=1):
            writer.put(a_job(case, writer))
            wait_until(lambda number=number: writer.statistics().written == number)  # type: ignore[misc]
            assert size(tmp_path / "lobby") <= 2_000_000
        assert writer.statistics().removed == {"hours": 0, "megabytes": 6}
    assert [package.name[17:] for package in packages(tmp_path)] == ["episode-6", "episode-7"]
    with running(tmp_path, max_mb=1) as writer:
        assert [package.name[17:] for package in packages(tmp_path)] == ["episode-7"]
        assert writer.statistics().bytes == size(tmp_path / "lobby") <= 1_000_000
    assert intact(tmp_path)


def test_hours_hold_while_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.evidence.writer._ENFORCE_EVERY_S", 0.1)
    now = NOW
    with running(tmp_path, lambda: now, keep_hours=1) as writer:
        writer.put(a_job(a_case(), writer))
        wait_until(lambda: writer.statistics().written)
        assert packages(tmp_path)
        now = NOW + timedelta(hours=1.1)
        wait_until(lambda: not packages(tmp_path))
        assert wait_until(lambda: writer.statistics().removed["hours"]) == 1


def test_a_package_too_large_with_its_clip_is_kept_without(tmp_path: Path) -> None:
    (package,) = written(tmp_path, a_case(crops=1), clip=bytes(900_000), max_mb=1)
    assert not (package / "clip.mp4").exists()
    assert "larger than evidence.max_mb with it" in (package / "index.html").read_text()
    assert intact(tmp_path)


def test_a_package_larger_than_the_cap_is_shed_and_the_others_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "monitor.evidence")
    with running(tmp_path, max_mb=1) as writer:
        writer.put(a_job(a_case(1, crops=1), writer))
        wait_until(lambda: writer.statistics().written)
        writer.put(a_job(a_case(2, crops=4), writer))
        wait_until(lambda: writer.statistics().shed)
        assert writer.statistics().shed == {"size": 1}
    assert [package.name[17:] for package in packages(tmp_path)] == ["episode-1"]
    assert re.search(r"lobby: no evidence package of an alert: it would have 1\.\d MB, more than", caplog.text)


def test_too_many_at_once_are_shed_at_once_and_counted(tmp_path: Path) -> None:
    never: Future[Clip] = Future()  # the first waits for its clip
    with running(tmp_path) as writer:
        case = a_case()
        writer.put(Job(case, never, writer.spool / "clip-1", time.monotonic()))
        wait_until(lambda: writer.statistics().waiting == 0)
        for number in range(2, 12):
            writer.put(a_job(a_case(number, crops=0), writer))
        assert writer.statistics().shed == {"busy": 2}
        never.set_result(Clip("lobby", 1, None, "the camera is new"))
        wait_until(lambda: writer.statistics().written == 9)
    assert "There is none: the camera is new" in (packages(tmp_path)[0] / "index.html").read_text()


def test_a_folder_that_takes_nothing_sheds_and_goes_on(tmp_path: Path) -> None:
    with running(tmp_path) as writer:
        (tmp_path / "lobby").write_text("in the way")
        writer.put(a_job(a_case(1), writer))
        wait_until(lambda: writer.statistics().shed)
        assert writer.statistics().shed == {"disk": 1}
        assert not list(writer.spool.iterdir())
        (tmp_path / "lobby").unlink()
        writer.put(a_job(a_case(2), writer))
        wait_until(lambda: writer.statistics().written)
    assert intact(tmp_path)


def test_a_folder_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(EvidenceError, match=r"evidence\.folder: .*/file: (File exists|Not a directory)"),
        running(tmp_path / "file"),
    ):
        pass
    with running(tmp_path / "one"), pytest.raises(EvidenceError, match="in use by another"), running(tmp_path / "one"):
        pass
    with running(tmp_path / "one"):
        pass


def test_what_was_being_written_when_the_process_was_killed_is_not_there(tmp_path: Path) -> None:
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.monitor.evidence.writing_child", str(tmp_path)], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        for _ in range(3):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        assert len(packages(tmp_path)) >= 3
        assert intact(tmp_path)
        shutil.rmtree(tmp_path / "lobby")
    (tmp_path / ".unfinished" / "left").mkdir()
    with running(tmp_path) as writer:
        assert not list(writer.spool.iterdir())


def test_a_disk_that_is_nearly_full_sheds_evidence_first(tmp_path: Path) -> None:
    """A tmpfs of 80 MB: less is free than evidence leaves to others."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("mount namespaces are not to be had here")
    write = f'exec "{sys.executable}" -m tests.monitor.evidence.writing_child {tmp_path} 1'
    script = f"mount -t tmpfs -o size=80m none {tmp_path} && {write}"
    done = subprocess.run([unshare, "-rm", "sh", "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "0 written, shed {'disk': 1}, short: True, nothing is left\n"


def test_keeper_takes_what_was_seen_at_the_alert_and_packs_what_was_recorded(tmp_path: Path) -> None:
    asked: list[tuple[str, Path]] = []

    def request(stream: str, stem: Path) -> Future[Clip]:
        asked.append((stream, stem))
        answer: Future[Clip] = Future()
        answer.set_result(Clip(stream, 1, None, "no clip"))
        return answer

    with running(tmp_path) as writer:
        keeper = EvidenceKeeper(
            config_of(tmp_path), writer, request, lambda adapter: "d" * 64 if adapter == "door" else None
        )
        pixels = np.zeros((8, 8, 3), np.uint8)
        keeper.memory.crop(Crop("lobby", "1-7", 1.0, pixels, 0.5, 100))
        keeper.memory.logit(Logit("lobby", "1-7", 1.0, 4.0, 0.5, "demo"))
        raised = an_alert(1, model=ModelIdentity("demo", "0" * 64, "door", "torch", "fp32"))
        keeper.decided(raised)
        keeper.decided(an_alert(2, type="updated"))
        keeper.memory.crop(Crop("lobby", "1-7", 2.0, pixels, 0.9, 100))  # after the alert
        keeper.memory.logit(Logit("lobby", "1-7", 2.0, 4.0, 0.9, "demo"))
        keeper.recorded(an_alert(2, type="updated"), "{}")
        recorded = replace(raised, sequence=7)
        keeper.recorded(recorded, payloads.alert(recorded))
        wait_until(lambda: keeper.statistics().written)
    assert [stream for stream, _ in asked] == ["lobby"]
    (package,) = packages(tmp_path)
    assert json.loads((package / "alert.json").read_text())["sequence"] == 7
    assert json.loads((package / "manifest.json").read_text())["adapter_sha256"] == "d" * 64
    assert [path.name for path in (package / "crops").iterdir()] == ["01.png"]


def test_keeper_holds_a_bounded_number_of_alerts_that_the_store_does_not_take(tmp_path: Path) -> None:
    with running(tmp_path, clip_s=0) as writer:
        keeper = EvidenceKeeper(config_of(tmp_path, clip_s=0), writer, lambda *_: Future(), lambda _: None)
        for number in range(20):
            keeper.decided(an_alert(number))
        assert keeper.statistics().shed == {"unrecorded": 4}
        for number in range(20):
            keeper.recorded(an_alert(number), "{}")
            wait_until(lambda number=number: keeper.statistics().written == max(0, number - 3))  # type: ignore[misc]
    assert len(packages(tmp_path)) == 16


def config_of(folder: Path, **settings: object) -> EvidenceConfig:
    return EvidenceConfig.model_validate({"folder": folder, **settings})


def test_no_thread_of_ours_outlives_its_end(tmp_path: Path) -> None:
    with running(tmp_path):
        assert any(thread.name == "evidence" for thread in threading.enumerate())
    assert not any(thread.name == "evidence" for thread in threading.enumerate())


def test_a_fault_of_evidence_costs_no_alert(tmp_path: Path) -> None:
    def fail(stream: str, stem: Path) -> Future[Clip]:
        raise RuntimeError("no such stream")

    with running(tmp_path) as writer:
        keeper = EvidenceKeeper(config_of(tmp_path), writer, fail, lambda _: None)
        keeper.decided(an_alert(1))
        keeper.recorded(an_alert(1), "{}")
        assert keeper.statistics().shed == {"failed": 1}


def test_a_folder_that_was_removed_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.evidence.writer._ENFORCE_EVERY_S", 0.1)
    folder = tmp_path / "evidence"
    with running(folder) as writer:
        shutil.rmtree(folder)
        wait_until(writer.spool.is_dir)
        writer.put(a_job(a_case(), writer, clip=b"a clip"))
        wait_until(lambda: writer.statistics().written)
    assert intact(folder)
