"""Packages that were tampered with in every way, and those that were not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from monitor.errors import ConfigError
from monitor.evidence import Verified, verify
from monitor.evidence.signing import load_signer
from tests.monitor.evidence.examples import a_case, written


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a package in it."""
    folder = tmp_path_factory.mktemp("made") / "evidence"
    written(folder, a_case(crops=2), clip=b"a clip")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "evidence"))


@pytest.fixture
def package(folder: Path) -> Path:
    (package,) = folder.glob("lobby/*")
    return package


@pytest.fixture
def key(folder: Path) -> str:
    return load_signer(folder / "signing-key.pem").fingerprint


def only(found: list[Verified]) -> Verified:
    (verified,) = found
    return verified


def faults(package: Path, key: str | None = None) -> list[tuple[str, str]]:
    verified = only(verify(package, key))
    assert verified.intact == (not verified.faults)
    return [(fault.file, fault.what) for fault in verified.faults]


def test_a_package_is_intact_and_its_signer_known_by_the_key_alone(folder: Path, package: Path, key: str) -> None:
    for where in (package, package.parent, folder):
        assert only(verify(where, key)) == Verified(str(package), True, key, True, ())
    pairs = ":".join(key[at : at + 2] for at in range(0, 64, 2)).upper()
    assert only(verify(package, pairs)).signer_known
    unknown = only(verify(package, None))
    assert (unknown.intact, unknown.signer, unknown.signer_known) == (True, key, False)


def test_one_flipped_bit_of_any_file_is_found(package: Path, key: str) -> None:
    names = sorted(path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file())
    assert names == [
        "alert.json", "clip.mp4", "crops/01.png", "crops/02.png", "index.html", "manifest.json", "manifest.sig",
        "signer.pem", "timeline.svg",
    ]  # fmt: skip
    for name in names:
        file = package / name
        content = file.read_bytes()
        for at in {0, len(content) // 2, len(content) - 1}:
            file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            found = faults(package, key)
            assert found, (name, at)
            assert any(name in fault or name in what for fault, what in found), (name, at, found)
        file.write_bytes(content)
    assert faults(package, key) == []


def test_every_byte_of_the_signature_and_the_key_counts(package: Path) -> None:
    for name in ("manifest.sig", "signer.pem"):
        file = package / name
        content = file.read_bytes()
        for at in range(len(content)):
            file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            assert faults(package), (name, at)
        for other in (content + b"\n", content[:-1], b""):
            file.write_bytes(other)
            assert faults(package), (name, other)
        file.write_bytes(content)


@pytest.mark.parametrize("name", ["alert.json", "crops/02.png", "manifest.json", "manifest.sig", "signer.pem"])
def test_a_missing_file_is_named(package: Path, name: str) -> None:
    (package / name).unlink()
    assert (name, "missing") in faults(package)


def test_extra_files_folders_and_links_are_named(package: Path, tmp_path: Path) -> None:
    (package / "crops" / "03.png").write_bytes(b"")
    (package / ".hidden").write_bytes(b"")
    (package / "empty").mkdir()
    (tmp_path / "elsewhere").write_bytes((package / "alert.json").read_bytes())
    (package / "alert.json").unlink()
    (package / "alert.json").symlink_to(tmp_path / "elsewhere")  # the same content, but another file
    assert sorted(faults(package)) == [
        (".hidden", "extra: it is not in the manifest"),
        ("alert.json", "is no plain file"),
        ("crops/03.png", "extra: it is not in the manifest"),
        ("empty/", "extra: it is not in the manifest"),
    ]


def test_a_package_that_another_has_signed_anew_is_intact_but_not_by_the_key(
    folder: Path, package: Path, key: str, tmp_path: Path
) -> None:
    forger = load_signer(tmp_path / "forger.pem")
    (package / "signer.pem").write_bytes(forger.public_pem)
    (package / "manifest.sig").write_bytes(forger.sign((package / "manifest.json").read_bytes()))
    assert ("signer.pem", f"other signer: {forger.fingerprint}") in faults(package, key)
    whole = tmp_path / "forged"
    written(whole, a_case(), key=tmp_path / "forger.pem")
    assert only(verify(whole, None)).signer == forger.fingerprint
    verified = only(verify(whole, key))
    assert not verified.intact
    assert [(fault.file, fault.what) for fault in verified.faults] == [
        ("signer.pem", f"other signer: {forger.fingerprint}")
    ]


def test_of_many_packages_each_is_told_of(folder: Path, package: Path, key: str) -> None:
    other = package.with_name("20260131T130000Z-other")
    shutil.copytree(package, other)
    (other / "manifest.json").unlink()
    found = verify(folder, key)
    assert [(Path(verified.path).name, verified.intact) for verified in found] == [
        (package.name, True),
        (other.name, False),
    ]


def test_what_cannot_be_verified_at_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere: no such folder"):
        verify(tmp_path / "nowhere", None)
    with pytest.raises(ConfigError, match="no evidence package in it"):
        verify(tmp_path, None)
    with pytest.raises(ConfigError, match="--key: expected a fingerprint of 64 hexadecimal digits"):
        verify(tmp_path, "beef")


def test_openssl_says_the_same(package: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl here")
    command = [
        openssl, "pkeyutl", "-verify", "-pubin", "-inkey", str(package / "signer.pem"), "-rawin",
        "-in", str(package / "manifest.json"), "-sigfile", str(package / "manifest.sig"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Verified Successfully" in done.stdout, done.stderr
