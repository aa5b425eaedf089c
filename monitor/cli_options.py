"""Arguments that several commands have, and how a command reads its configuration."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from monitor.config import MonitorConfig
from monitor.config_file import load_config
from monitor.logs import LogFormat, set_up_logging

DEBUG = "--debug"
ConfigFile = Annotated[Path, typer.Argument(help="YAML file; the README has an example.")]
LogFormatOption = Annotated[
    LogFormat, typer.Option("--log-format", help="text: for people; json: one object a line, for programs.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def load(path: Path) -> MonitorConfig:
    """Reads the configuration, and keeps its secrets out of the log from now on.

    Raises:
        ConfigError: it cannot be read, or something in it is wrong.
    """
    return load_again(path, set())


def load_again(path: Path, secrets: set[str], log_format: LogFormat = "text") -> MonitorConfig:
    """As `load`, where others were in force before, whose secrets stay secret.

    Args:
        path: the file.
        secrets: of the configurations before; those of this one are added.
        log_format: of the log from now on.

    Raises:
        ConfigError: as `load`.
    """
    config = load_config(path)
    hide_also(secrets, config.secrets(), log_format)
    return config


def hide_also(secrets: set[str], more: Iterable[str], log_format: LogFormat = "text") -> None:
    """Keeps more secrets out of the log from now on.

    Args:
        secrets: that are kept out of it already; the others are added.
        more: the others.
        log_format: of the log from now on.
    """
    secrets.update(more)
    set_up_logging(debug=DEBUG in sys.argv, secrets=tuple(secrets), log_format=log_format)
