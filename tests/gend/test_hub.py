"""The hub, as a small server on this machine answers for it.

The hub library reads its environment once, at import, so each visit is a process of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WHOLE = {"config.json": b'{"model_type": "GenD"}', "model.safetensors": b"weights", "README.md": b"about"}
SHARDED = {
    "config.json": b"{}",
    "model.safetensors.index.json": b'{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}',
    "model-1.safetensors": b"one",
    "model-2.safetensors": b"two",
}
TRAINED = {"model.ckpt": b"of torch", "model.torchscript": b"code", "README.md": b"about"}
REPOSITORIES = {
    "owner/whole": WHOLE,
    "owner/sharded": SHARDED,
    "owner/trained": TRAINED,
    "owner/pickled": {"config.json": b"{}", "a.ckpt": b""},
}
VISIT = """
import sys
from gend.errors import WeightsError
from gend.hub import checkpoint_folder
for repo in sys.argv[1:]:
    try:
        folder = checkpoint_folder(repo)
        print(*sorted(path.name for path in folder.iterdir()))
    except WeightsError as error:
        print("WeightsError", error)
"""


class Hub(BaseHTTPRequestHandler):
    """Enough of the hub's HTTP for a download."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].removeprefix("/api/models").strip("/")
        repo, _, file = path.partition("/resolve/main/")
        if repo == "owner/gated" and file:
            self._answer(403, b"", {"X-Error-Code": "GatedRepo"})
        elif repo == "owner/gated":
            self._answer(200, self._listing(repo, WHOLE))
        elif repo == "owner/broken":
            self._answer(418, b"")
        elif repo not in REPOSITORIES:
            self._answer(401, b"", {"X-Error-Code": "RepoNotFound"})
        elif file:
            content = REPOSITORIES[repo][file]
            etag = hashlib.sha256(content).hexdigest()
            self._answer(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})
        else:
            self._answer(200, self._listing(repo, REPOSITORIES[repo]))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's name)
        """Says nothing."""

    def _listing(self, repo: str, files: dict[str, bytes]) -> bytes:
        return json.dumps({"id": repo, "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}).encode()

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, name="hub")
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def visit(cache: Path, *repos: str, endpoint: str = "http://127.0.0.1:1", offline: bool = False) -> list[str]:
    """One line for each repository: the files of its folder, or the error. No hub listens at the default endpoint."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_HOME": str(cache), "HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": str(int(offline))}
    environment |= {"HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-c", VISIT, *repos]
    # Far less than the 23 s for which the hub library by itself would look for a network.
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=15)
    return ran.stdout.splitlines()


def test_checkpoint_folder_is_fetched_once(hub: str, tmp_path: Path) -> None:
    repos = ("owner/whole", "owner/sharded", "owner/trained")
    folders = ["config.json model.safetensors", " ".join(sorted(SHARDED)), "model.ckpt"]
    assert visit(tmp_path, *repos, endpoint=hub) == folders
    assert visit(tmp_path, *repos) == folders
    assert visit(tmp_path, *repos, offline=True) == folders


def test_checkpoint_folder_completes_what_was_cut_off(hub: str, tmp_path: Path) -> None:
    visit(tmp_path, "owner/sharded", endpoint=hub)
    (cut,) = tmp_path.glob("hub/models--owner--sharded/snapshots/*/model-2.safetensors")
    cut.unlink()
    (without_network,) = visit(tmp_path, "owner/sharded")
    assert without_network.startswith("WeightsError owner/sharded: not in the cache")
    assert visit(tmp_path, "owner/sharded", endpoint=hub) == [" ".join(sorted(SHARDED))]


def test_checkpoint_folder_without_network_is_one_clear_error(tmp_path: Path) -> None:
    unreachable = visit(tmp_path, "yermandy/GenD_CLIP_L_14")
    assert len(unreachable) == 1
    cache = tmp_path / "hub"
    help_ = "run `gend fetch yermandy/GenD_CLIP_L_14` with network, or copy its cache here"
    assert f"yermandy/GenD_CLIP_L_14: not in the cache at {cache}, and fetching it failed (" in unreachable[0]
    assert unreachable[0].endswith(help_)
    offline = visit(tmp_path, "yermandy/GenD_CLIP_L_14", offline=True)
    said = f"yermandy/GenD_CLIP_L_14: not in the cache at {cache}, and HF_HUB_OFFLINE is set; {help_}"
    assert offline == [f"WeightsError {said}"]


def test_checkpoint_folder_tells_refusals_apart(hub: str, tmp_path: Path) -> None:
    said = visit(tmp_path, "owner/gated", "owner/none", "owner/pickled", "owner/broken", "owner/a--b", endpoint=hub)
    nothing = "its repository holds neither config.json with .safetensors weights nor model.ckpt, pytorch_model.bin"
    assert said == [
        f"WeightsError owner/gated: gated; accept its terms at {hub}/owner/gated and set HF_TOKEN to your token",
        f"WeightsError owner/none: not found on {hub} (or private: then set HF_TOKEN)",
        f"WeightsError owner/pickled: {nothing}",
        f"WeightsError owner/broken: {hub} answered 418",
        "WeightsError owner/a--b: not a hub id of the form owner/name",
    ]
