"""Evidence packages: which there are of an alert, their files, and whether they are as they were signed.

What a path may be is decided by the package's manifest, never by whoever asks.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from monitor.access import Principal
from monitor.actions.errors import NotFoundError
from monitor.config import EvidenceConfig
from monitor.evidence import Verified, verify
from monitor.evidence.manifest import (
    MANIFEST,
    PACKAGE_NAME,
    SIGNATURE,
    FileEntry,
    file_entry,
    package_manifest,
    plain_file,
    plain_folder,
)
from monitor.evidence.package import package_name
from monitor.messages import Alert
from monitor.store import Episode
from monitor.stream_config import STREAM_NAME

_PORTRAIT = "crops/01.png"


@dataclass(frozen=True, slots=True)
class PackageView:
    """A package on the disk.

    Attributes:
        stream: whose.
        name: of its folder.
        created: when it was made, as its manifest has it.
        signer: the fingerprint of the key that signed it, as its manifest has it.
        files: what is in it by name; manifest and signature are not.
    """

    stream: str
    name: str
    created: str
    signer: str
    files: dict[str, FileEntry]


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file of a package.

    Attributes:
        name: in the package, with slashes.
        path: on the disk; a plain file when it was looked at.
        sha256: as the manifest has it; of manifest and signature as they are.
    """

    name: str
    path: Path
    sha256: str


class Episodes(Protocol):
    """What is needed of the store."""

    async def call_of(self, stream: str) -> str | None:
        """The stream that one with alerts was a call of."""

    async def episode(self, alert_id: str) -> Episode | None:
        """One episode."""


class EvidenceActions:
    """Shows packages.

    Args:
        config: where they are; None: nothing is kept.
        fingerprint: of the key that this service signs with.
        store: tells whose an alert is.
    """

    def __init__(
        self, config: Callable[[], EvidenceConfig | None], fingerprint: Callable[[], str | None], store: Episodes
    ) -> None:
        self._config = config
        self._fingerprint = fingerprint
        self._store = store

    async def packages(self, principal: Principal, alert_id: str) -> list[PackageView]:
        """Those of an alert episode: one, or none where nothing was kept, or it is gone.

        Raises:
            NotFoundError: there is no such episode.
            StoreError: the database cannot be read.
        """
        principal.require("viewer")
        episode = await self._store.episode(alert_id)
        if episode is None or not principal.sees(episode.raised.stream, episode.raised.call_of):
            raise NotFoundError(f"there is no alert {alert_id}, or you may not see it")
        config = self._config()
        if config is None:
            return []
        return await asyncio.to_thread(_of_episode, config.folder / episode.raised.stream, alert_id)

    async def portraits(self, principal: Principal, raised: Sequence[Alert]) -> dict[str, tuple[str, str]]:
        """A picture of the face of each episode that still has one, for a list of them.

        Args:
            principal: who asks.
            raised: the messages that began the episodes; those of streams that they may not see have no picture.

        Returns:
            Package and name of the file in it, by `alert_id`.
        """
        principal.require("viewer")
        config = self._config()
        if config is None:
            return {}
        packages = {
            alert.alert_id: config.folder / alert.stream / package_name(alert)
            for alert in raised
            if principal.sees(alert.stream, alert.call_of)
        }
        return await asyncio.to_thread(_portraits, packages)

    async def file(self, principal: Principal, stream: str, package: str, name: str) -> PackageFile:
        """One file of a package.

        Raises:
            NotFoundError: the package is not there, or its manifest has no such file.
        """
        principal.require("viewer")
        await self._see(principal, stream)
        for file in await self._files(stream, package):
            if file.name == name:
                return file
        raise NotFoundError(f"there is no file {name} in {package}")

    async def files(self, principal: Principal, stream: str, package: str) -> list[PackageFile]:
        """Every file of a package, manifest and signature among them, to be taken away as one.

        Raises:
            NotFoundError: the package is not there.
        """
        principal.require("viewer")
        await self._see(principal, stream)
        return await self._files(stream, package)

    async def verification(self, principal: Principal, stream: str, package: str) -> Verified:
        """Whether it is as this service has signed it.

        Raises:
            NotFoundError: the package is not there.
        """
        principal.require("viewer")
        await self._see(principal, stream)
        folder = await self._folder(stream, package)
        (verified,) = await asyncio.to_thread(verify, folder, self._fingerprint())
        return verified

    async def _see(self, principal: Principal, stream: str) -> None:
        if not principal.sees(stream):  # it may be a call that is over
            principal.require("viewer", stream, await self._store.call_of(stream))

    async def _files(self, stream: str, package: str) -> list[PackageFile]:
        return await asyncio.to_thread(_listed, await self._folder(stream, package))

    async def _folder(self, stream: str, package: str) -> Path:
        config = self._config()
        if config is not None and re.fullmatch(STREAM_NAME, stream) and PACKAGE_NAME.fullmatch(package):
            folder = config.folder / stream / package
            if await asyncio.to_thread(lambda: plain_folder(folder.parent) and plain_folder(folder)):
                return folder
        raise NotFoundError(f"there is no evidence package {package} of stream {stream}")


def _of_episode(folder: Path, alert_id: str) -> list[PackageView]:
    if not plain_folder(folder):
        return []
    found = []
    for path in sorted(folder.iterdir()):
        if PACKAGE_NAME.fullmatch(path.name) and path.name.partition("-")[2] == alert_id and plain_folder(path):
            manifest = package_manifest(path)
            if manifest is not None:
                found.append(PackageView(folder.name, path.name, manifest.created, manifest.signer, manifest.files))
    return found


def _portraits(packages: Mapping[str, Path]) -> dict[str, tuple[str, str]]:
    return {
        alert_id: (package.name, _PORTRAIT)
        for alert_id, package in packages.items()
        if plain_folder(package.parent) and plain_folder(package) and _inside(package, _PORTRAIT)
    }


def _listed(package: Path) -> list[PackageFile]:
    """Files that the manifest names and that are there, and the two that it cannot name."""
    manifest = package_manifest(package)
    if manifest is None:
        raise NotFoundError(f"{package.name} has no manifest")
    own = [name for name in (MANIFEST, SIGNATURE) if plain_file(package / name)]
    files = [PackageFile(name, package / name, file_entry(package / name).sha256) for name in own]
    for name, entry in manifest.files.items():
        if _inside(package, name):
            files.append(PackageFile(name, package / name, entry.sha256))
    return files


def _inside(package: Path, name: str) -> bool:
    """Whether it is a plain file in the package, by a way without links: somebody may have written that manifest."""
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or PurePosixPath(name).is_absolute() or "\0" in name or "/".join(parts) != name:
        return False
    *above, last = parts
    for part in above:
        package /= part
        if not plain_folder(package):
            return False
    return plain_file(package / last)
