"""Hashes of what judged, so that it can be told later whether two alerts were judged alike."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json

from monitor.config import MonitorConfig
from monitor.errors import EvidenceError
from monitor.evidence.manifest import Provenance, file_entry
from monitor.stream_config import StreamConfig


class Provenances:
    """What stands behind the alerts of each stream; that of a stream that has gone is kept for alerts on their way."""

    def __init__(self) -> None:
        self._of: dict[str, Provenance] = {}
        self._next: dict[str, Provenance] = {}

    def of(self, stream: str) -> Provenance:
        """Of a stream that was configured; of a call it is that of its configured stream."""
        return self._of[stream]

    def read(self, config: MonitorConfig) -> None:
        """Finds out what will stand behind alerts of another configuration. Reads the disk.

        Raises:
            EvidenceError: a calibration file cannot be read.
        """
        self._next = provenances_of(config)

    def take_over(self) -> None:
        """What was read last stands from now on."""
        self._of = {**self._of, **self._next}


def provenances_of(config: MonitorConfig) -> dict[str, Provenance]:
    """What stands behind every alert of this configuration, by stream.

    Raises:
        EvidenceError: a calibration file cannot be read.
    """
    configuration = configuration_sha256(config)
    software = f"gend-monitor {importlib.metadata.version('gend-monitor')}"
    return {
        stream.name: Provenance(
            calibration_sha256=_calibration_sha256(config, stream),
            configuration_sha256=configuration,
            software=software,
        )
        for stream in config.streams
    }


def configuration_sha256(config: MonitorConfig) -> str:
    """Of the configuration as JSON, with its keys sorted, every default filled in and every secret hidden."""
    text = json.dumps(config.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _calibration_sha256(config: MonitorConfig, stream: StreamConfig) -> str | None:
    path = config.calibration_of(stream)
    if path is None:
        return None
    try:
        return file_entry(path).sha256
    except OSError as error:
        raise EvidenceError(f"{config.place_of_calibration(stream)}: {path}: {error.strerror or error}") from error
