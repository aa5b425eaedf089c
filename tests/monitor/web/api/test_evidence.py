"""Evidence packages over HTTP."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest

from monitor.evidence import verify
from tests.monitor.evidence.examples import a_case, written
from tests.monitor.store.examples import an_alert
from tests.monitor.web.api.asking import asked

pytestmark = pytest.mark.anyio


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Of `episode-1` on `lobby`, with a clip."""
    (path,) = written(tmp_path / "evidence", a_case(1), clip=bytes(range(256)) * 4000)
    return path


async def test_package_is_listed_read_and_taken_away(tmp_path: Path, package: Path) -> None:
    async with asked(tmp_path) as (http, parts):
        await parts.store.record(an_alert(1), [])
        await parts.store.record(an_alert(2), [])
        (listed,) = (await http.get("/alerts/episode-1/evidence")).json()["items"]
        assert (await http.get("/alerts/episode-2/evidence")).json()["items"] == []
        assert (await http.get("/alerts/episode-9/evidence")).status_code == 404
        base = f"/evidence/{listed['stream']}/{listed['name']}"
        for file in listed["files"]:
            answer = await http.get(f"{base}/files/{file['name']}")
            assert answer.content == (package / file["name"]).read_bytes()
            assert hashlib.sha256(answer.content).hexdigest() == file["sha256"]
            assert len(answer.content) == file["bytes"]
            assert answer.headers["cache-control"] == "no-store"
        crop = await http.get(f"{base}/files/crops/01.png")
        assert crop.headers["content-type"] == "image/png"
        same = await http.get(f"{base}/files/crops/01.png", headers={"If-None-Match": crop.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        part = await http.get(f"{base}/files/clip.mp4", headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, bytes(range(10, 20)))
        archive = await http.get(f"{base}/archive")
    assert (listed["stream"], listed["name"]) == ("lobby", package.name)
    copy = tmp_path / "copy"
    zipfile.ZipFile(io.BytesIO(archive.content)).extractall(copy)
    (verified,) = verify(copy, None)
    assert verified.intact
    assert Path(verified.path).name == package.name


async def test_verification_tells_what_was_changed(tmp_path: Path, package: Path) -> None:
    async with asked(tmp_path) as (http, _):
        address = f"/evidence/lobby/{package.name}/verification"
        whole = (await http.get(address)).json()
        (package / "alert.json").write_text("{}")
        changed = await http.get(address)
    assert (whole["intact"], whole["faults"]) == (True, [])
    assert changed.json()["intact"] is False
    assert changed.json()["faults"] == [{"file": "alert.json", "what": "changed"}]
    assert str(tmp_path) not in changed.text


TRAVERSALS = (
    "../../../secret.txt",
    "..%2f..%2f..%2fsecret.txt",
    "crops/../../../../secret.txt",
    "crops/%2e%2e/%2e%2e/alert.json",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "//etc/passwd",
    "signing-key.pem",
    "../signing-key.pem",
    "crops",
    "crops/",
    "crops//01.png",
    "%2e/alert.json",
    "alert.json/",
    "alert.json%00",
    "..\\..\\secret.txt",
    "",
)


async def test_nothing_but_what_the_manifest_names_can_be_read(tmp_path: Path, package: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (package / "extra.txt").write_text("secret")
    (tmp_path / "evidence" / "lobby" / "20260131T120005Z-linked").symlink_to(package)
    async with asked(tmp_path) as (http, _):
        base = f"/evidence/lobby/{package.name}/files"
        for name in (*TRAVERSALS, "extra.txt"):
            answer = await http.get(f"{base}/{name}")
            assert (name, answer.status_code in {404, 422}) == (name, True)
            assert "secret" not in answer.text.replace("secret.txt", "")
        for other in ("..", "%2e%2e", "20260131T120005Z-linked", "20260131T120005Z-nothing"):
            assert (await http.get(f"/evidence/lobby/{other}/files/alert.json")).status_code in {404, 422}
        for stream in ("..", "%2e%2e", ".unfinished", quote("../evidence/lobby", safe="")):
            assert (await http.get(f"/evidence/{stream}/{package.name}/files/alert.json")).status_code in {404, 422}


async def test_manifest_that_somebody_wrote_leads_nowhere_else(tmp_path: Path, package: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (package / "link.txt").symlink_to(tmp_path / "secret.txt")
    (package / "folder").symlink_to(tmp_path)
    names = (
        "../../../secret.txt",
        str(tmp_path / "secret.txt"),
        "link.txt",
        "folder/secret.txt",
        "crops/../alert.json",
    )
    manifest = json.loads((package / "manifest.json").read_text())
    for name in names:
        manifest["files"][name] = {"sha256": "0" * 64, "bytes": 6}
    (package / "manifest.json").write_text(json.dumps(manifest))
    async with asked(tmp_path) as (http, _):
        for name in names:
            answer = await http.get(f"/evidence/lobby/{package.name}/files/{quote(name, safe='')}")
            assert (name, answer.status_code) == (name, 404)
        archive = await http.get(f"/evidence/lobby/{package.name}/archive")
    entries = zipfile.ZipFile(io.BytesIO(archive.content)).namelist()
    assert f"{package.name}/alert.json" in entries
    assert not [name for name in entries if "secret" in name or "link" in name or ".." in name]


async def test_without_evidence_there_is_none(tmp_path: Path) -> None:
    async with asked(tmp_path, evidence=None) as (http, parts):
        await parts.store.record(an_alert(1), [])
        assert (await http.get("/alerts/episode-1/evidence")).json() == {"items": []}
        missing = await http.get("/evidence/lobby/20260131T120005Z-episode-1/archive")
        assert missing.status_code == 404
