"""The list of a package's files and of what judged; its bytes are what is signed."""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MANIFEST, SIGNATURE, SIGNER = "manifest.json", "manifest.sig", "signer.pem"
KIND = "gend-monitor evidence"
PACKAGE_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-zA-Z_-]{1,64}")
"""`<time>-<alert_id>`."""

_MOST_BYTES = 1_000_000
"""A manifest is a few kilobytes; whatever else bears its name is not read."""

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class FileEntry(_Part):
    """One file of the package."""

    sha256: Sha256
    bytes: int = Field(ge=0)


class Provenance(_Part):
    """What judged, apart from what is in the alert: hashes, so that it can be told whether two were the same."""

    calibration_sha256: Sha256 | None
    configuration_sha256: Sha256
    """Of the configuration as `gend-monitor` reads it, every default filled in and every secret hidden."""
    software: str


class Manifest(Provenance):
    """`manifest.json`."""

    kind: Literal["gend-monitor evidence"]
    schema_: Literal[1] = Field(alias="schema")
    created: str
    signer: Sha256
    """The fingerprint of the key that signs."""
    model_sha256: str
    adapter_sha256: Sha256 | None
    """Of the fine-tune's file, where one has judged."""
    files: dict[str, FileEntry]

    def encoded(self) -> bytes:
        """As it is written."""
        return (json.dumps(self.model_dump(by_alias=True), indent=2, sort_keys=True) + "\n").encode()


def entries(files: Mapping[str, bytes]) -> dict[str, FileEntry]:
    """The entries of files that are in memory, by their name in the package."""
    return {
        name: FileEntry(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
        for name, content in files.items()
    }


def file_entry(path: Path) -> FileEntry:
    """The entry of a file on disk. Raises OSError where it cannot be read."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileEntry(sha256=digest, bytes=file.tell())


def read_manifest(content: bytes) -> Manifest | None:
    """The manifest that these bytes are; None where they are none."""
    try:
        return Manifest.model_validate_json(content)
    except ValidationError:
        return None


def plain_file(path: Path) -> bool:
    """Whether it is a file, and no link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def plain_folder(path: Path) -> bool:
    """Whether it is a folder, and no link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def manifest_of(package: Path) -> Manifest | None:
    """The manifest in a folder; None where there is none of ours. Raises OSError where it cannot be read."""
    path = package / MANIFEST
    if not plain_file(path) or path.stat().st_size > _MOST_BYTES:
        return None
    return read_manifest(path.read_bytes())


def package_manifest(package: Path) -> Manifest | None:
    """As `manifest_of`; None also where the package has just gone."""
    try:
        return manifest_of(package)
    except OSError:
        return None
