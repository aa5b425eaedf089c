"""Tells whether packages are as they were signed, and by whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from monitor.errors import ConfigError
from monitor.evidence.manifest import (
    MANIFEST,
    PACKAGE_NAME,
    SIGNATURE,
    SIGNER,
    Manifest,
    file_entry,
    manifest_of,
    plain_file,
    plain_folder,
)
from monitor.evidence.signing import fingerprint, read_public_key, signed_by


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one file."""

    file: str
    what: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found of one package.

    Attributes:
        path: its folder.
        intact: every file is as it was signed, and where a key was named, by that key.
        signer: the fingerprint of the key that signed it; None where the signature is of no use.
        signer_known: whether that key was named. One in the package itself says nothing of who made it.
        faults: what is wrong.
    """

    path: str
    intact: bool
    signer: str | None
    signer_known: bool
    faults: tuple[Fault, ...]


def verify(folder: Path, key: str | None) -> list[Verified]:
    """Verifies a package, or every package in a folder, at any of the two levels below it.

    Args:
        folder: one package, or many.
        key: the fingerprint of whoever should have signed, 64 hexadecimal digits; None: nobody is known.

    Raises:
        ConfigError: no such folder, no package in it, or no fingerprint.
    """
    if key is not None:
        key = key.lower().replace(":", "")
        if len(key) != 64 or set(key) - set("0123456789abcdef"):
            raise ConfigError("--key: expected a fingerprint of 64 hexadecimal digits")
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder")
    packages = sorted(_packages(folder))
    if not packages:
        raise ConfigError(f"{folder}: no evidence package in it")
    return [_verify(package, key) for package in packages]


def _packages(folder: Path) -> Iterator[Path]:
    if _looks_like_one(folder):
        yield folder
        return
    for below in (path for path in folder.iterdir() if plain_folder(path) and not path.name.startswith(".")):
        if _looks_like_one(below):
            yield below
        else:
            yield from (path for path in below.iterdir() if plain_folder(path) and _looks_like_one(path))


def _looks_like_one(folder: Path) -> bool:
    # By its name as well: somebody may have taken the manifest away.
    named = PACKAGE_NAME.fullmatch(folder.resolve().name) is not None
    return named or any((folder / name).exists() for name in (MANIFEST, SIGNATURE))


def _verify(package: Path, key: str | None) -> Verified:
    signer, faults = _signature(package, key)
    try:
        manifest = manifest_of(package)
    except OSError as error:
        faults.append(Fault(MANIFEST, f"cannot be read: {error.strerror or error}"))
        manifest = None
    if manifest is not None:
        faults += _files(package, manifest)
        if signer is not None and manifest.signer != signer:
            faults.append(Fault(SIGNER, f"is not the key that {MANIFEST} names"))
    elif not any(fault.file == MANIFEST for fault in faults):
        faults.append(Fault(MANIFEST, "is no manifest of an evidence package"))
    return Verified(str(package), not faults, signer, signer is not None and signer == key, tuple(faults))


def _signature(package: Path, key: str | None) -> tuple[str | None, list[Fault]]:
    """The fingerprint of the key that signed the manifest, and what is wrong with the three files."""
    content: dict[str, bytes] = {}
    faults = []
    for name in (MANIFEST, SIGNATURE, SIGNER):
        path = package / name
        try:
            if plain_file(path):
                content[name] = path.read_bytes()
            else:
                faults.append(Fault(name, "is no plain file" if path.is_symlink() or path.exists() else "missing"))
        except OSError as error:
            faults.append(Fault(name, f"cannot be read: {error.strerror or error}"))
    if faults:
        return None, faults
    public = read_public_key(content[SIGNER])
    if public is None:
        return None, [Fault(SIGNER, "changed: it is no Ed25519 key as they are written")]
    if not signed_by(public, content[SIGNATURE], content[MANIFEST]):
        return None, [Fault(SIGNATURE, f"wrong signature: {MANIFEST}, {SIGNATURE} or {SIGNER} was changed")]
    signer = fingerprint(public)
    if key is not None and signer != key:
        return signer, [Fault(SIGNER, f"other signer: {signer}")]
    return signer, []


def _files(package: Path, manifest: Manifest) -> list[Fault]:
    """What is changed, missing or too much."""
    expected = {*manifest.files, MANIFEST, SIGNATURE, SIGNER}
    folders = {str(parent) for name in expected for parent in PurePosixPath(name).parents}
    faults = []
    found = set()
    for path in sorted(package.rglob("*")):
        name = path.relative_to(package).as_posix()
        if plain_folder(path):
            if name not in folders:
                faults.append(Fault(f"{name}/", "extra: it is not in the manifest"))
            continue
        found.add(name)
        if name not in expected:
            faults.append(Fault(name, "extra: it is not in the manifest"))
        elif not plain_file(path):
            faults.append(Fault(name, "is no plain file"))
        elif name in manifest.files:
            try:
                if file_entry(path) != manifest.files[name]:
                    faults.append(Fault(name, "changed"))
            except OSError as error:
                faults.append(Fault(name, f"cannot be read: {error.strerror or error}"))
    return faults + [Fault(name, "missing") for name in sorted(manifest.files.keys() - found)]
