"""Streams that are added while the service runs: checked as those of the file, and merged with them.

The file stays its operator's and is never written to. Where it has a stream of the same name, that one is watched.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from gend.yaml_files import faults
from monitor.added_stream import AddedStreamConfig
from monitor.config import MonitorConfig
from monitor.errors import ConfigError, MonitorError
from monitor.ingest import check_protocols
from monitor.logs import of_stream
from monitor.redact import redact
from monitor.store import AddedRow, read_added
from monitor.stream_config import StreamConfig

_log = logging.getLogger("monitor.service")

_OF_THIS_MACHINE = ("calibration",)
"""Fields that name files."""
_URLS = ("url", "detect_url")
_VARIABLE = "${…} is for the configuration file: what stands in the service's environment is given to nobody"

Fault = tuple[str, str]
"""A field, and what is wrong with it."""


class FaultyStreamError(MonitorError):
    """What was sent is no stream that can be added.

    Attributes:
        faults: all that is wrong with it.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{place}: {what}" for place, what in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Merged:
    """The configuration file with what was added.

    Attributes:
        file: as it is without.
        config: the whole.
        left_out: added streams that are not watched, and why.
    """

    file: MonitorConfig
    config: MonitorConfig
    left_out: Mapping[str, str] = field(default_factory=dict)


class AddedStreams:
    """Merges added streams with those of the file, and remembers what is in force.

    Args:
        file: the configuration file, as it was read last.
        path: where it is.
        hide: keeps secrets out of the log from now on.
    """

    def __init__(self, file: MonitorConfig, path: Path, hide: Callable[[Iterable[str]], None] = lambda _: None) -> None:
        self.path = path
        self._hide = hide
        self._in_force = Merged(file, file)

    @property
    def in_force(self) -> Merged:
        """What streams are watched by."""
        return self._in_force

    @property
    def url(self) -> str:
        """Of the database in which they are; another one waits for a restart."""
        return self._in_force.file.store.url.get_secret_value()

    async def merge(self, file: MonitorConfig) -> Merged:
        """A configuration file with the streams that are in the database now.

        Raises:
            StoreError: it cannot be read.
        """
        rows = await read_added(self.url)
        whole = await asyncio.to_thread(merged, file, rows)
        self._hide(whole.config.secrets())
        return whole

    def take_over(self, whole: Merged) -> None:
        """It is in force from now on; says of which added streams that is not true."""
        for name, why in whole.left_out.items():
            if self._in_force.left_out.get(name) != why:
                of_stream(_log, name).warning("this added stream is not watched: %s", redact(why))
        self._in_force = whole


def merged(file: MonitorConfig, rows: Sequence[AddedRow]) -> Merged:
    """Merges; what cannot be watched any more is left out rather than keeping all else from being watched.

    Checking the whole takes its time, and is done once for each where one of them is left out: not for the event loop.
    """
    of_file = {stream.name for stream in file.streams}
    left_out = {
        row.name: "the configuration file has a stream of the same name, which is watched instead"
        for row in rows
        if row.name in of_file
    }
    rows = [row for row in rows if row.name not in of_file]
    if not rows:
        return Merged(file, file, left_out)
    try:
        return Merged(file, _whole(file, [added_stream(file, row.name, row.settings) for row in rows]), left_out)
    except (FaultyStreamError, ValidationError, ConfigError):
        config = file  # which of them it is, is found one by one
    for row in rows:
        try:
            config = with_stream(config, row.name, row.settings)
        except FaultyStreamError as error:
            left_out[row.name] = str(error)
    return Merged(file, config, left_out)


def with_stream(config: MonitorConfig, name: str, settings: Mapping[str, Any]) -> MonitorConfig:
    """A configuration with one more stream, checked as if it stood in the file. Looks nothing up.

    Args:
        config: without it.
        name: of the stream.
        settings: its other fields.

    Raises:
        FaultyStreamError: it is none, or does not go with the rest of the configuration.
    """
    stream = added_stream(config, name, settings)
    try:
        return _whole(config, [stream])
    except ValidationError as error:
        raise FaultyStreamError([_of_the_stream(name, what) for _, what in faults(error)]) from None
    except ConfigError as error:
        raise FaultyStreamError([_of_the_stream(name, str(error))]) from None


def _whole(config: MonitorConfig, streams: Sequence[AddedStreamConfig]) -> MonitorConfig:
    """With more streams, checked whole, so that whatever holds between a stream and the rest holds of added ones, too.

    Raises:
        ValidationError, ConfigError: one of them does not go with it.
    """
    sections = {section: getattr(config, section) for section in MonitorConfig.model_fields}
    whole = MonitorConfig.model_validate({**sections, "streams": [*config.streams, *streams]})
    check_protocols(streams)
    return whole


def added_stream(config: MonitorConfig, name: str, settings: Mapping[str, Any]) -> AddedStreamConfig:
    """A stream by itself, checked as one of the file, and bound to where added ones may lead.

    Raises:
        FaultyStreamError: it is none.
    """
    # Texts are nowhere but here: what is deeper must be numbers.
    wrong = [(str(key), _VARIABLE) for key, value in settings.items() if "${" in str(key) or _has_variable(value)]
    wrong += [(key, "names a file of this machine; that is for the configuration file") for key in _OF_THIS_MACHINE
              if settings.get(key) is not None]  # fmt: skip
    if wrong:
        raise FaultyStreamError(wrong)
    try:
        stream = StreamConfig.model_validate({**settings, "name": name})
    except ValidationError as error:
        found = [(".".join(map(str, at)), what) for at, what in faults(error)]
        raise FaultyStreamError([(place or "url", redact(what)) for place, what in found]) from None
    bound = config.web.added_streams
    wrong = [
        (key, why)
        for key in _URLS
        if (url := getattr(stream, key)) is not None
        and (why := _unfit(url.get_secret_value(), bound.schemes)) is not None
    ]
    if stream.scheme.startswith("rtsp") and stream.transport != "tcp":
        wrong.append(("transport", "only tcp: over udp a camera may have us send packets to any address"))
    if wrong:
        raise FaultyStreamError(wrong)
    return AddedStreamConfig.bound(stream, bound.reach())


def _unfit(url: str, schemes: Sequence[str]) -> str | None:
    """Why a URL may not be added, whatever its host."""
    scheme = url.partition(":")[0]
    if scheme not in schemes:
        known = ", ".join(f"{each}:" for each in schemes) or "none"
        return f"{scheme}: cannot be added, only {known} (web.added_streams.schemes); others are for the file"
    if any(not "!" <= character <= "~" or character == "\\" for character in url):
        return "write blanks, backslashes and all but ASCII percent-encoded, and host names as xn--…"
    options = re.split(r"[?&]", url)[1:]  # FFmpeg's begin at the last question mark
    if scheme.startswith("rtsp") and {"udp", "multicast"} & set(options):
        return "only RTSP over TCP can be added: leave ?udp and ?multicast out"
    return None


def _has_variable(value: Any) -> bool:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    return isinstance(text, str) and "${" in text


def _of_the_stream(name: str, what: str) -> Fault:
    """`streams.lobby.adapter: …` as the fault of a field."""
    said = what.removeprefix(f"streams.{name}.")
    place, separator, rest = said.partition(": ")
    if said != what and separator:
        return place, rest
    return "name", what
