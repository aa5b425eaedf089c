"""Fine-tunes in the service: each stream is judged by its own, and another takes its place while all goes on."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from gend.adapter import Adapter, cut_adapter
from gend.checkpoint import load_checkpoint
from monitor.adapters import StreamAdapters
from monitor.config import MonitorConfig
from monitor.demo.clip import make_clip
from monitor.parts import load_parts
from tests.broker import Mosquitto
from tests.monitor.service import RunningService, Subscriber


@pytest.fixture(scope="module")
def own() -> Adapter:
    """The demo encoder's own LayerNorms and head."""
    return cut_adapter(load_checkpoint("demo").model)


@pytest.fixture(scope="module")
def fake_call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "fake-call.mp4"
    make_clip(path, seconds=12, manipulated_from_s=0, names=["astronaut"])
    return path


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running


def test_streams_are_judged_by_their_adapters_which_are_swapped_without_a_restart(
    own: Adapter, fake_call: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    door = tmp_path / "door.safetensors"
    trusting = replace(own, head_bias=own.head_bias + np.array([50, -50], np.float32))
    trusting.save(door)
    config = {
        "streams": [
            {"name": "plain", "url": f"file:{fake_call}", "loop": True},
            {"name": "tuned", "url": f"file:{fake_call}", "loop": True, "adapter": "door"},
        ],
        "mqtt": {"url": broker.url},
        "encoder": {"weights": "demo", "adapters": {"door": str(door)}},
    }
    with Subscriber(broker.port, "gend/#") as subscriber, RunningService(tmp_path, config) as service:
        assert service.process is not None
        plain = subscriber.wait_for("gend/alerts/plain", type="raised")
        assert plain["model"]["adapter"] is None
        assert not [topic for topic, _ in subscriber.passed if topic == "gend/alerts/tuned"]

        door.write_bytes(door.read_bytes()[:500])
        service.process.send_signal(signal.SIGHUP)
        service.wait_for_log(f"the configuration is not taken over: {door}: not a whole safetensors file")
        own.save(door)
        hall = tmp_path / "hall.safetensors"
        own.save(hall)
        changed = yaml.safe_load(service.path.read_text())
        changed["encoder"] = {"weights": "demo", "adapters": {"hall": str(hall)}}
        changed["streams"][1]["adapter"] = "hall"
        service.path.write_text(yaml.safe_dump(changed))
        subscriber.passed.clear()
        service.process.send_signal(signal.SIGHUP)
        service.wait_for_log("the configuration is taken over: no stream begins anew")
        tuned = subscriber.wait_for("gend/alerts/tuned", type="raised")
        assert tuned["model"] == plain["model"] | {"adapter": "hall"}
        assert "scoring fails" not in service.log_text()
        assert service.terminate()[0] == 0


def test_an_adapter_that_does_not_fit_refuses_the_start(own: Adapter, fake_call: Path, tmp_path: Path) -> None:
    replace(own, base_sha256="0" * 64).save(tmp_path / "door.safetensors")
    config = {
        "streams": [{"name": "lobby", "url": f"file:{fake_call}", "adapter": "door"}],
        "encoder": {"weights": "demo", "adapters": {"door": str(tmp_path / "door.safetensors")}},
    }
    service = RunningService(tmp_path, config)
    with pytest.raises(AssertionError, match=r"error: adapter door \(.*\): an adapter of another demo-vit"):
        service.start()
    assert service.process is not None
    assert service.process.wait(timeout=20) == 1


def test_adapters_that_cannot_be_loaded_leave_everything_as_it_was() -> None:
    def configured(adapter: str, file: str) -> MonitorConfig:
        streams = [{"name": "lobby", "url": "file:a.mp4", "adapter": adapter}, {"name": "yard", "url": "file:b.mp4"}]
        return MonitorConfig.model_validate({"streams": streams, "encoder": {"adapters": {adapter: file}}})

    loaded: list[dict[str, str]] = []

    def load(files: object) -> None:
        if "bad" in str(files):
            raise ValueError("bad")
        loaded.append(dict(files))  # type: ignore[call-overload]

    adapters = StreamAdapters(configured("door", "1"), load)
    assert (adapters.of("lobby"), adapters.of("yard")) == ("door", None)
    adapters.load(configured("hall", "2"))
    assert adapters.of("lobby") == "door"
    adapters.assign(configured("hall", "2"))
    # Crops of before may still wait for the old one.
    assert loaded == [{"door": "1", "hall": "2"}]
    assert adapters.of("lobby") == "hall"
    with pytest.raises(ValueError, match="bad"):
        adapters.load(configured("cellar", "bad"))
    assert adapters.of("lobby") == "hall"
    adapters.load(configured("hall", "3"))
    assert loaded[-1] == {"door": "1", "hall": "3"}


def test_the_hash_of_an_adapter_is_that_of_the_file_the_encoder_has_loaded(own: Adapter, tmp_path: Path) -> None:
    door = tmp_path / "door.safetensors"
    own.save(door)
    config = MonitorConfig.model_validate(
        {
            "streams": [{"name": "lobby", "url": "file:a.mp4", "adapter": "door"}],
            "encoder": {"weights": "demo", "adapters": {"door": str(door)}},
        }
    )
    adapters = load_parts(config).adapters
    loaded = hashlib.sha256(door.read_bytes()).hexdigest()
    door.write_bytes(b"")
    assert adapters.sha256(adapters.of("lobby")) == loaded
    assert adapters.sha256(None) is None
