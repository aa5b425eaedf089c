from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gend.engines import cache
from gend.engines.cache import converted
from gend.engines.exported import Exported, read_exported
from gend.errors import GendError, WeightsError
from gend.export import export
from gend.locate import DEMO_WEIGHTS
from gend.tensor_files import sha256
from tests.gend.engines.networks import checkpoint

SHA256 = checkpoint().sha256


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("converted") / "made"
    return export(checkpoint(), folder, "openvino", "fp32", weights="tiny")


@pytest.fixture
def conversions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Exported) -> list[str]:
    """An empty cache, and the conversions that were asked for; what they make is `made`."""
    asked: list[str] = []

    def convert(weights: str, precision: str, folder: Path) -> None:
        asked.append(f"{weights} {precision}")
        shutil.copytree(made.folder, folder)

    monkeypatch.setenv("GEND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_convert", convert)
    return asked


def test_converted_converts_once(conversions: list[str]) -> None:
    first = converted("tiny", SHA256, "fp32")
    again = converted("tiny", SHA256, "fp32")
    assert first == again
    assert conversions == ["tiny fp32"]
    assert sorted(path.name for path in first.folder.parent.iterdir()) == [first.folder.name], "something was left over"


@pytest.mark.parametrize("name", ["model.bin", "model.xml", "own.safetensors", "gend-engine.json"])
def test_converted_makes_a_truncated_entry_anew(
    conversions: list[str], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    entry = converted("tiny", SHA256, "fp32")
    damaged = entry.folder / name
    damaged.write_bytes(damaged.read_bytes()[:-9])
    assert converted("tiny", SHA256, "fp32") == entry
    assert conversions == ["tiny fp32"] * 2
    assert read_exported(entry.folder) == entry
    assert str(damaged) in caplog.text
    assert "converting anew" in caplog.text


def test_converted_makes_an_entry_without_manifest_anew(conversions: list[str]) -> None:
    entry = converted("tiny", SHA256, "fp32")
    shutil.rmtree(entry.folder)
    entry.folder.mkdir()
    assert converted("tiny", SHA256, "fp32") == entry


def test_converted_keeps_one_version_of_each_precision(conversions: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    old = converted("tiny", SHA256, "fp32")
    other = converted("tiny", SHA256, "bf16")
    monkeypatch.setattr(cache, "version", lambda _: "9999")
    new = converted("tiny", SHA256, "fp32")
    assert new.folder != old.folder
    assert sorted(path.name for path in new.folder.parent.iterdir()) == sorted([new.folder.name, other.folder.name])


def test_converted_refuses_weights_that_changed_meanwhile(conversions: list[str]) -> None:
    with pytest.raises(WeightsError, match="tiny: has changed while it was converted"):
        converted("tiny", "cd" * 32, "fp32")


def test_converted_says_where_it_cannot_write(
    conversions: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GEND_CACHE", str(tmp_path / "file"))
    with pytest.raises(GendError, match=r"cannot keep the converted network .*; GEND_CACHE names another folder"):
        converted("tiny", SHA256, "fp32")


def test_converted_without_torch_says_what_to_install(conversions: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    entry = converted("tiny", SHA256, "fp32")
    monkeypatch.setattr(cache, "find_spec", lambda _: None)
    assert converted("tiny", SHA256, "fp32") == entry
    with pytest.raises(GendError, match=r"needs torch, once: pip install 'gend-monitor\[torch\]'"):
        converted("tiny", SHA256, "bf16")


def test_a_second_start_needs_no_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real conversion, in its own process; and what a service that starts with it in the cache imports."""
    monkeypatch.setenv("GEND_CACHE", str(tmp_path))
    entry = converted("demo", sha256([DEMO_WEIGHTS]), "bf16")
    assert entry.manifest.notices == ("demo encoder: not for real use",)
    start = (
        "import sys, numpy as np\n"
        "from gend.engines.choose import Wish\n"
        "from gend.engines.load import load_engine\n"
        "loaded = load_engine('demo', Wish('openvino', 'bf16', mixes=True), threads=1)\n"
        "side = loaded.input_px\n"
        "assert np.isfinite(loaded.engine.logits(np.zeros((2, side, side, 3), np.uint8))).all()\n"
        "assert loaded.own is not None\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", start], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_conversion_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEND_CACHE", str(tmp_path / "cache"))
    weights = tmp_path / "broken.safetensors"
    weights.write_bytes(b"no weights")
    with pytest.raises(WeightsError, match=r"broken\.safetensors: not a whole safetensors file") as caught:
        converted(str(weights), "ab" * 32, "fp32")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "cache" / "engines").iterdir()) == []
