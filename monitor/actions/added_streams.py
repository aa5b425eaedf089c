"""Streams of the configuration: those of the file, which are shown, and those that are added, edited and removed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from gend.errors import GendError
from monitor.access import ForbiddenError, Principal
from monitor.actions.added_audit import entry_of, told_of_failure, undone
from monitor.actions.errors import BusyError, ConflictError, FaultyError, NotFoundError
from monitor.actions.kept_secrets import with_secrets, without_secrets
from monitor.added import AddedStreams, FaultyStreamError, added_stream, merged, with_stream
from monitor.added_stream import AddedStreamConfig
from monitor.changes import Changes
from monitor.errors import MonitorError, SourceError
from monitor.ingest import Way
from monitor.reach import Resolve, addresses_of
from monitor.redact import redact
from monitor.store import AddedRow, AddedStreamStore, opened_added
from monitor.stream_check import StreamCheck, check_stream
from monitor.stream_config import PUBLISHED, StreamConfig

_LOOK_UP_S = 10.0
_CHECK_S = 15.0
_CANDIDATE = "candidate"
"""What a stream is called that is only tried, where nobody has given it a name."""


@dataclass(frozen=True, slots=True)
class ConfiguredStream:
    """A stream as it is configured.

    Attributes:
        name: its name.
        origin: whether it stands in the file, or was added.
        settings: the fields of the file but `name`; credentials are `***`.
        watched: whether it is in force.
        problem: why it is not.
        by: who added or edited it last; None: it is of the file.
        at: when; None: it is of the file.
    """

    name: str
    origin: Literal["file", "added"]
    settings: Mapping[str, Any]
    watched: bool
    problem: str | None = None
    by: str | None = None
    at: datetime | None = None


class AddedStreamActions:
    """Shows and changes what is watched. What is changed holds when an action returns, and after a restart.

    Every change takes `source`, from where it is asked for, and leaves a line in the audit log, without secrets. Each
    raises, besides what it says:
        ForbiddenError: it is about all streams, and they may see some only.
        ConflictError: this service was not started from a configuration file.
        StoreError: the database cannot be read or written.

    Args:
        added: what is in force, and where it is kept; None where there is no file.
        amend: has the service take over what is kept now.
        resolve: looks up hosts of what is to be added.
    """

    def __init__(
        self,
        added: AddedStreams | None,
        amend: Callable[[AddedStreams], Awaitable[Changes]],
        resolve: Resolve = addresses_of,
    ) -> None:
        self._added = added
        self._amend = amend
        self._resolve = resolve
        self._one_at_a_time = asyncio.Lock()
        self._checking = False

    async def all(self, principal: Principal) -> list[ConfiguredStream]:
        """Every stream: those of the file in its order, then those that were added, by name."""
        principal.require("admin")
        added = self._for(principal)
        async with opened_added(added.url) as store:
            rows = await store.added()
        of_file = [_of_file(stream) for stream in added.in_force.file.streams]
        return [*of_file, *(self._of_row(added, row) for row in rows)]

    async def one(self, principal: Principal, name: str) -> ConfiguredStream:
        """One stream; where the file has one of the same name as an added one, that of the file.

        Raises:
            NotFoundError: there is none of that name.
        """
        principal.require("admin")
        added = self._for(principal)
        for stream in added.in_force.file.streams:
            if stream.name == name:
                return _of_file(stream)
        async with opened_added(added.url) as store:
            return self._of_row(added, await _row(store, name))

    async def add(self, principal: Principal, settings: Mapping[str, Any], source: str) -> ConfiguredStream:
        """Adds a stream.

        Args:
            principal: who asks.
            settings: as a stream of the file, with its `name`.
            source: the client's address.

        Raises:
            FaultyError: it is none, or may not be added.
            ConflictError: the name is taken, there are too many, or it cannot be watched with all else as it is.
        """
        principal.require("admin")
        added = self._for(principal)
        name, sent = _name_of(settings)
        entry = entry_of(principal, "stream.add", name, source, sent)
        async with self._one_at_a_time, opened_added(added.url) as store, told_of_failure(store, entry):
            self._check_not_of_file(added, name)
            rows = await store.added()
            if any(row.name == name for row in rows):
                raise ConflictError(f"there is an added stream {name} already")
            most = added.in_force.config.web.added_streams.max_streams
            if len(rows) >= most:
                raise ConflictError(f"there are {len(rows)} added streams; web.added_streams.max_streams is {most}")
            await self._check(added, rows, name, sent)
            row = AddedRow(name, sent, principal.name, datetime.now(UTC))
            await store.add(row, entry)
            await self._take_over(added, lambda: store.remove(name, undone(entry)))
        return self._of_row(added, row)

    async def change(
        self, principal: Principal, name: str, settings: Mapping[str, Any], source: str
    ) -> ConfiguredStream:
        """Puts another in the place of an added stream; it begins anew, and no other does.

        Args:
            principal: who asks.
            name: of the stream.
            settings: all its fields; a secret that is left out or `***` stays as it is.
            source: the client's address.

        Raises:
            NotFoundError: there is none of that name.
            FaultyError: it is no stream, or may not be added.
            ConflictError: it stands in the file, or it cannot be watched so with all else as it is.
        """
        principal.require("admin")
        added = self._for(principal)
        given, sent = _name_of({"name": name, **settings})
        if given != name:
            raise FaultyError([("name", "a stream keeps its name: remove it and add another")])
        async with self._one_at_a_time, opened_added(added.url) as store:
            self._check_not_of_file(added, name)
            before = await _row(store, name)
            sent = _filled(sent, before)
            entry = entry_of(principal, "stream.change", name, source, sent)
            async with told_of_failure(store, entry):
                others = [row for row in await store.added() if row.name != name]
                await self._check(added, others, name, sent)
                row = AddedRow(name, sent, principal.name, datetime.now(UTC))
                if not await store.change(row, entry):
                    raise _unknown(name)
                await self._take_over(added, lambda: store.change(before, undone(entry)))
        return self._of_row(added, row)

    async def remove(self, principal: Principal, name: str, source: str) -> None:
        """Removes an added stream, also one that is not watched as the file has one of the same name.

        Raises:
            NotFoundError: there is none of that name.
            ConflictError: it stands in the file, or cannot be ended with all else as it is.
        """
        principal.require("admin")
        added = self._for(principal)
        entry = entry_of(principal, "stream.remove", name, source, {})
        async with self._one_at_a_time, opened_added(added.url) as store:
            rows = {row.name: row for row in await store.added()}
            if name not in rows:
                self._check_not_of_file(added, name)
                raise _unknown(name)
            async with told_of_failure(store, entry):
                await store.remove(name, entry)
                await self._take_over(added, lambda: store.add(rows[name], undone(entry)))

    async def check(self, principal: Principal, settings: Mapping[str, Any], source: str) -> StreamCheck:
        """Tries a stream without adding it, as `gend-monitor check` does; one at a time, for 15 s at the most.

        What it sends is decoded by a process of its own.

        Args:
            principal: who asks.
            settings: as for `add`, where `name` may be left out; of an added stream's name, as for `change`.
            source: the client's address.

        Raises:
            FaultyError: it may not be added.
            BusyError: another one is being tried.
        """
        principal.require("admin")
        added = self._for(principal)
        name, sent = _name_of({"name": _CANDIDATE, **settings})
        if self._checking:
            raise BusyError("another stream is being tried; wait a moment")
        self._checking = True
        try:
            async with opened_added(added.url) as store:
                kept = next((row for row in await store.added() if row.name == name), None)
                if kept is not None:
                    sent = _filled(sent, kept)
                entry = entry_of(principal, "stream.check", name, source, sent)
                async with told_of_failure(store, entry):
                    stream = await self._reachable(added, name, sent)
                    await store.tell(entry)
            found = await check_stream(stream, _CHECK_S)
        finally:
            self._checking = False
        return replace(found, error=None if found.error is None else redact(found.error))

    def _for(self, principal: Principal) -> AddedStreams:
        if principal.streams is not None:
            raise ForbiddenError("the configuration is of all streams, and you may see some of them only")
        if self._added is None:
            raise ConflictError("this service was not started from a configuration file")
        return self._added

    def _check_not_of_file(self, added: AddedStreams, name: str) -> None:
        if any(stream.name == name for stream in added.in_force.file.streams):
            raise ConflictError(
                f"{name} is a stream of the configuration file: edit {added.path}, which is taken over within seconds"
            )

    async def _check(self, added: AddedStreams, others: list[AddedRow], name: str, sent: Mapping[str, Any]) -> None:
        try:
            await asyncio.to_thread(lambda: with_stream(merged(added.in_force.file, others).config, name, sent))
        except FaultyStreamError as error:
            raise FaultyError(error.faults) from None
        await self._reachable(added, name, sent)

    async def _reachable(self, added: AddedStreams, name: str, sent: Mapping[str, Any]) -> AddedStreamConfig:
        """The stream, which may lead where it does now."""
        try:
            stream = added_stream(added.in_force.config, name, sent)
        except FaultyStreamError as error:
            raise FaultyError(error.faults) from None
        if stream.scheme != PUBLISHED:
            await self._leads_there("url", stream)
        small = stream.substream()
        if small is not None:
            await self._leads_there("detect_url", small)
        return stream

    async def _leads_there(self, field: str, stream: AddedStreamConfig) -> None:
        try:
            async with asyncio.timeout(_LOOK_UP_S):
                await asyncio.to_thread(Way(stream, self._resolve).url)
        except TimeoutError:
            raise FaultyError([(field, f"its host was not found within {_LOOK_UP_S:g} s")]) from None
        except (SourceError, ValueError) as error:
            raise FaultyError([(field, redact(str(error)).removeprefix("cannot open: "))]) from None

    async def _take_over(self, added: AddedStreams, undo: Callable[[], Awaitable[object]]) -> None:
        try:
            await self._amend(added)
        except (GendError, MonitorError) as error:
            await undo()
            raise ConflictError(f"nothing is changed: {redact(str(error))}") from error

    def _of_row(self, added: AddedStreams, row: AddedRow) -> ConfiguredStream:
        problem = added.in_force.left_out.get(row.name)
        settings = {key: value for key, value in row.settings.items() if key != "name"}
        if problem is None:
            stream = next((each for each in added.in_force.config.streams if each.name == row.name), None)
            if stream is None:
                problem = "it is taken over in a moment"
            else:
                settings = _settings(stream)
        shown = without_secrets(settings)
        return ConfiguredStream(row.name, "added", shown, problem is None, problem and redact(problem), row.by, row.at)


def _of_file(stream: StreamConfig) -> ConfiguredStream:
    return ConfiguredStream(stream.name, "file", without_secrets(_settings(stream)), watched=True)


def _settings(stream: StreamConfig) -> dict[str, Any]:
    """The fields of a stream but its name, with their defaults and secrets."""
    fields = StreamConfig.model_fields.keys() - {"name"}
    settings = stream.model_dump(mode="json", include=fields)
    for key in ("url", "detect_url", "token"):
        secret = getattr(stream, key)
        settings[key] = None if secret is None else secret.get_secret_value()
    return {key: settings[key] for key in StreamConfig.model_fields if key in fields}


def _name_of(settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name, and all else."""
    name = settings.get("name")
    if not isinstance(name, str):
        raise FaultyError([("name", "a stream has a name")])
    return name, {key: value for key, value in settings.items() if key != "name"}


def _filled(sent: Mapping[str, Any], kept: AddedRow) -> dict[str, Any]:
    try:
        return with_secrets(sent, kept.settings)
    except FaultyStreamError as error:
        raise FaultyError(error.faults) from None


async def _row(store: AddedStreamStore, name: str) -> AddedRow:
    found = next((row for row in await store.added() if row.name == name), None)
    if found is None:
        raise _unknown(name)
    return found


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(f"there is no stream {name[:80]}")
