"""One alert's package: what is in it, and how it comes to be on disk whole or not at all."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from monitor.evidence.manifest import MANIFEST, SIGNATURE, SIGNER, Manifest, Provenance, entries, file_entry
from monitor.evidence.memory import Seen
from monitor.evidence.page import ShownClip, ShownCrop, page_html
from monitor.evidence.retention import UNFINISHED
from monitor.evidence.signing import Signer
from monitor.evidence.timeline import timeline_svg
from monitor.messages import Alert, Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """What a package is made of, besides its clip."""

    alert: Alert
    """As it was recorded."""
    published: str
    """The same as it goes to subscribers, JSON."""
    seen: Seen
    adapter_sha256: str | None = None
    """Of the fine-tune that judged."""


@dataclass(frozen=True, slots=True)
class FoundClip:
    """A clip's file, to be moved into the package; or why there is none."""

    path: Path | None
    absence: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Package:
    """A package that is ready to be written."""

    stream: str
    name: str
    files: Mapping[str, bytes]
    clip: Path | None

    @property
    def bytes(self) -> int:
        """Its size on disk."""
        clip = 0 if self.clip is None else self.clip.stat().st_size
        return clip + sum(len(content) for content in self.files.values())


def make_package(
    case: Case, clip: FoundClip, provenance: Provenance, signer: Signer, wall: Callable[[float], datetime]
) -> Package:
    """Draws, lists and signs everything; writes nothing.

    Args:
        case: the alert and what was seen.
        clip: the file of the clip.
        provenance: what judged.
        signer: signs.
        wall: the time of day of an `at_s`.

    Raises:
        OSError: the clip cannot be read.
    """
    alert = case.alert
    crops = [
        ShownCrop(_png(crop.pixels), f"{wall(crop.at_s):%H:%M:%S.%f}"[:-3], crop.logit, crop.quality, crop.width_px)
        for crop in case.seen.crops
    ]
    timeline = timeline_svg(case.seen, alert.threshold)
    clip_name = None if clip.path is None else f"clip{clip.path.suffix}"
    page = page_html(
        alert,
        crops,
        timeline,
        ShownClip(clip_name, clip.absence),
        provenance=provenance,
        adapter_sha256=case.adapter_sha256,
        fingerprint=signer.fingerprint,
    )
    files = {
        "alert.json": f"{case.published}\n".encode(),
        "index.html": page.encode(),
        "timeline.svg": timeline.encode(),
        **{f"crops/{number:02}.png": crop.png for number, crop in enumerate(crops, start=1)},
        SIGNER: signer.public_pem,
    }
    listed = entries(files)
    if clip.path is not None and clip_name is not None:
        listed[clip_name] = file_entry(clip.path)
    manifest = Manifest(
        kind="gend-monitor evidence",
        schema=1,
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        signer=signer.fingerprint,
        model_sha256=alert.model.sha256,
        adapter_sha256=case.adapter_sha256,
        files=listed,
        **provenance.model_dump(),
    ).encoded()
    files |= {MANIFEST: manifest, SIGNATURE: signer.sign(manifest)}
    return Package(alert.stream, package_name(alert), files, clip.path)


def package_name(raised: Alert) -> str:
    """Name of the folder of the episode that this message began."""
    return f"{raised.at:%Y%m%dT%H%M%SZ}-{raised.alert_id}"


def write_package(package: Package, folder: Path) -> Path:
    """Writes a package under another name, and gives it its own once every byte is on the disk.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    unfinished = folder / UNFINISHED / package.name
    stream = folder / package.stream
    try:
        (unfinished / "crops").mkdir(parents=True)
        for name, content in package.files.items():
            (unfinished / name).write_bytes(content)
        if package.clip is not None:
            package.clip.rename(unfinished / f"clip{package.clip.suffix}")
        if not any((unfinished / "crops").iterdir()):
            (unfinished / "crops").rmdir()
        for path in (*unfinished.rglob("*"), unfinished):
            _sync(path)
        stream.mkdir(mode=0o700, exist_ok=True)
        finished = unfinished.rename(stream / package.name)
        _sync(stream)
    except OSError:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return finished


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _png(pixels: Pixels) -> bytes:
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return written.getvalue()
