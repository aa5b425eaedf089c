"""Where the report goes, and writing it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from gend.whole_files import written_whole
from monitor.decision import Calibration
from monitor.decision.fitting import Fitted
from monitor.decision_config import DecisionConfig
from monitor.errors import ConfigError, MonitorError


def place_report(out: Path, asked: Path | None, console: Console) -> Path | None:
    """Where the report of the calibration `out` goes: what was asked for, or beside it; asked before hours of work.

    Returns:
        None where none was asked for and plots cannot be drawn, which is told.

    Raises:
        ConfigError: one was asked for and cannot be made, or would take the calibration's place.
    """
    if find_spec("matplotlib") is None:
        missing = "the report needs matplotlib: pip install 'gend-monitor[report]'"
        if asked is not None:
            raise ConfigError(f"--report: {missing}")
        console.out(f"no report: {missing}", highlight=False)
        return None
    path = asked or out.with_suffix(".html")
    if path == out:
        raise ConfigError(f"--report: {path} is the calibration itself; name another file")
    if not path.parent.is_dir():
        raise ConfigError(f"--report: {path}: no such folder")
    return path


def write_report(
    path: Path, name: str, calibration: Calibration, asked: DecisionConfig, fitted: Fitted | None = None
) -> None:
    """Writes the report, whole or not at all.

    Args:
        path: the file.
        name: of the calibration.
        calibration: what is told.
        asked: rate, confidence, alerts of a session and quorum.
        fitted: how well scores tell probabilities; None where only the calibration is left.

    Raises:
        MonitorError: it cannot be written.
    """
    # matplotlib takes a second, and need not be there.
    from monitor.calibration_report.page import page  # noqa: PLC0415

    text = page(name, calibration, asked, fitted)
    try:
        with written_whole(path) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MonitorError(f"{path}: cannot be written ({error.strerror})") from error
