"""How evidence begins to be kept."""

from __future__ import annotations

import logging

from monitor.clock import LiveClock
from monitor.config import MonitorConfig
from monitor.evidence.provenance import Provenances
from monitor.evidence.writer import Writer

_log = logging.getLogger("monitor.evidence")


def new_writer(config: MonitorConfig, provenances: Provenances) -> Writer | None:
    """What keeps evidence, where it is configured. Works on the disk.

    Args:
        config: where, and for how long.
        provenances: what stands behind alerts.

    Raises:
        EvidenceError: the folder cannot be used, another service uses it, or there is no key to be had.
    """
    if config.evidence is None:
        return None
    writer = Writer(config.evidence, provenances.of, LiveClock().wall)
    _log.info(
        "evidence in %s, signed by the key with fingerprint %s", config.evidence.folder, writer.signer.fingerprint
    )
    return writer
