"""What may be added, by whom, and what is shown of it; on a real database, with the answers of a resolver made up."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from monitor.access import AuditEntry
from monitor.actions import BusyError, ConflictError, FaultyError, NotFoundError
from monitor.actions.added_streams import AddedStreamActions
from monitor.added import AddedStreams
from monitor.added_stream import AddedStreamConfig
from monitor.changes import Changes
from monitor.config import MonitorConfig
from monitor.errors import ConfigError
from monitor.store import opened_added
from tests.monitor.actions.acting import ADMIN, a_configuration
from tests.monitor.store.examples import made

pytestmark = pytest.mark.anyio

FROM = "203.0.113.9"
CAMERA = "rtsp://user:s3cr3t-of-it@camera.test:554/main"


@dataclass
class Site:
    """A service without a pipeline: what is kept is in force at once, unless it refuses."""

    actions: AddedStreamActions
    added: AddedStreams
    names: dict[str, list[str]]
    refuses: str | None = None
    hidden: set[str] = field(default_factory=set)

    @property
    def watched(self) -> dict[str, Any]:
        return {stream.name: stream for stream in self.added.in_force.config.streams}

    async def log(self) -> list[AuditEntry]:
        async with opened_added(self.added.url) as store:
            return await store.audit(100)


@asynccontextmanager
async def site(folder: Path, **bounds: Any) -> AsyncIterator[Site]:
    await made(folder)
    config = a_configuration(folder, web={"added_streams": bounds})
    hidden: set[str] = set()
    added = AddedStreams(config, folder / "monitor.yaml", hidden.update)
    names = {"camera.test": ["10.0.0.5"], "other.test": ["10.0.0.6"], "inside.test": ["127.0.0.1"]}

    async def amend(streams: AddedStreams) -> Changes:
        if made_site.refuses is not None:
            raise ConfigError(made_site.refuses)
        streams.take_over(await streams.merge(streams.in_force.file))
        return Changes((), (), ())

    def resolve(host: str) -> list[str]:
        if host in names:
            return names[host]
        if host.replace(".", "").isdecimal():
            return [host]
        raise socket.gaierror(socket.EAI_NONAME, host)

    made_site = Site(AddedStreamActions(added, amend, resolve), added, names, hidden=hidden)
    yield made_site


async def faults(site: Site, fields: Mapping[str, Any]) -> dict[str, str]:
    with pytest.raises(FaultyError) as refused:
        await site.actions.add(ADMIN, {"name": "porch", **fields}, FROM)
    assert "porch" not in site.watched
    return dict(refused.value.faults)


async def test_a_stream_is_added_and_shown_without_its_password(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        shown = await here.actions.add(ADMIN, {"name": "porch", "url": CAMERA, "stall_s": 7}, FROM)
        assert (shown.name, shown.origin, shown.watched, shown.by) == ("porch", "added", True, "ada")
        assert shown.settings["url"] == "rtsp://***@camera.test:554/main"
        assert (shown.settings["stall_s"], shown.settings["token"]) == (7, None)
        stream = here.watched["porch"]
        assert isinstance(stream, AddedStreamConfig)
        assert stream.url.get_secret_value() == CAMERA
        assert stream.within == here.added.in_force.config.web.added_streams.reach()
        assert "s3cr3t-of-it" in here.hidden
        every = await here.actions.all(ADMIN)
        assert [(each.name, each.origin) for each in every] == [("lobby", "file"), ("gate", "file"), ("porch", "added")]
        assert every[0].settings["url"] == "rtsp://***@camera.example/main?token=***"
        (entry,) = await here.log()
        assert (entry.who, entry.action, entry.about, entry.source, entry.outcome) == (
            "ada", "stream.add", "porch", FROM, "done",
        )  # fmt: skip
        assert "s3cr3t" not in str(every) + str(entry)


@pytest.mark.parametrize(
    ("fields", "place", "said"),
    [
        ({"url": "file:/etc/passwd"}, "url", "file: cannot be added"),
        ({"url": "device:/dev/video0"}, "url", "device: cannot be added"),
        ({"url": "http://10.0.0.5/a.m3u8"}, "url", "http: cannot be added"),
        ({"url": "whep+http://10.0.0.5/whep"}, "url", "whep+http: cannot be added"),
        ({"url": "gopher://10.0.0.5/"}, "url", "unknown scheme"),
        ({"url": "rtsp://127.0.0.1:5432/"}, "url", "127.0.0.1 is a loopback address"),
        ({"url": "rtsp://inside.test/"}, "url", "127.0.0.1 is a loopback address"),
        ({"url": "whep+https://169.254.169.254/latest"}, "url", "169.254.169.254 is a link-local address"),
        ({"url": "rtsp://203.0.113.7/main"}, "url", "is in none of the networks"),
        ({"url": "rtsp://nowhere.test/main"}, "url", "host name not found"),
        ({"url": "rtsp://[::1/main"}, "url", ""),
        ({"url": "rtsp://camera.test:99999/main"}, "url", ""),
        ({"url": "rtsp://evil.test\\@camera.test/main"}, "url", "percent-encoded"),
        ({"url": "rtsp://camera.test/main?udp"}, "url", "over TCP"),
        ({"url": "rtsp://camera.test/main?channel=1?multicast"}, "url", "over TCP"),
        ({"url": CAMERA, "transport": "udp"}, "transport", "only tcp"),
        ({"url": CAMERA, "detect_url": "rtsp://127.0.0.1/"}, "detect_url", "127.0.0.1 is a loopback address"),
        ({"url": CAMERA, "detect_url": "rtsp://inside.test/"}, "detect_url", "127.0.0.1 is a loopback address"),
        ({"url": CAMERA, "detect_url": "rtsp://203.0.113.7/sub"}, "detect_url", "is in none of the networks"),
        ({"url": CAMERA, "detect_url": "file:/etc/passwd"}, "detect_url", "file: cannot be added"),
        ({"url": CAMERA, "detect_url": "http://10.0.0.5/a.m3u8"}, "detect_url", "http: cannot be added"),
        ({"url": CAMERA, "detect_url": "rtsp://camera.test/sub?udp"}, "detect_url", "over TCP"),
        ({"url": CAMERA, "detect_url": "rtsp://user:${HOME}@camera.test/sub"}, "detect_url", "${…} is for the conf"),
        ({"url": CAMERA, "calibration": "/etc/passwd"}, "calibration", "names a file of this machine"),
        ({"url": "rtsp://user:${HOME}@camera.test/main"}, "url", "${…} is for the configuration file"),
        ({"url": "whip:", "token": "${DATABASE_PASSWORD}"}, "token", "${…} is for the configuration file"),
        ({"url": CAMERA, "adapter": "nobody"}, "adapter", "nobody is not in encoder.adapters"),
        ({"url": CAMERA, "stall_s": "soon"}, "stall_s", ""),
        ({"url": CAMERA, "within": {"networks": ["0.0.0.0/0"]}}, "within", ""),
        ({"url": CAMERA, "name": "Porch!"}, "name", ""),
        ({"url": CAMERA, "name": 7}, "name", "a stream has a name"),
        ({}, "url", ""),
    ],
)
async def test_what_may_not_be_added_is_refused_by_field(
    tmp_path: Path, fields: dict[str, Any], place: str, said: str
) -> None:
    async with site(tmp_path) as here:
        found = await faults(here, fields)
        assert said in found[place], found
        assert await here.actions.all(ADMIN) == (await here.actions.all(ADMIN))[:2]
        if place != "name":
            assert [(entry.action, entry.outcome) for entry in await here.log()] == [("stream.add", "failed")]


async def test_names_are_taken_once_and_there_are_not_too_many(tmp_path: Path) -> None:
    async with site(tmp_path, max_streams=1) as here:
        with pytest.raises(ConflictError, match=r"gate is a stream of the configuration file: edit .*monitor\.yaml"):
            await here.actions.add(ADMIN, {"name": "gate", "url": CAMERA}, FROM)
        await here.actions.add(ADMIN, {"name": "porch", "url": CAMERA}, FROM)
        with pytest.raises(ConflictError, match="there is an added stream porch already"):
            await here.actions.add(ADMIN, {"name": "porch", "url": CAMERA}, FROM)
        with pytest.raises(ConflictError, match="max_streams is 1"):
            await here.actions.add(ADMIN, {"name": "attic", "url": CAMERA}, FROM)


async def test_streams_of_the_file_are_edited_there(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        assert (await here.actions.one(ADMIN, "gate")).origin == "file"
        for change in (
            here.actions.change(ADMIN, "gate", {"url": CAMERA}, FROM),
            here.actions.remove(ADMIN, "gate", FROM),
        ):
            with pytest.raises(ConflictError, match=r"edit .*monitor\.yaml"):
                await change
        for unknown in (
            here.actions.one(ADMIN, "attic"),
            here.actions.change(ADMIN, "attic", {"url": CAMERA}, FROM),
            here.actions.remove(ADMIN, "attic", FROM),
        ):
            with pytest.raises(NotFoundError):
                await unknown


async def test_what_is_hidden_or_left_out_stays_as_it_is(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        shown = await here.actions.add(ADMIN, {"name": "porch", "url": CAMERA}, FROM)
        await here.actions.change(ADMIN, "porch", {**shown.settings, "stall_s": 9}, FROM)
        assert here.watched["porch"].url.get_secret_value() == CAMERA
        await here.actions.change(ADMIN, "porch", {"stall_s": 11}, FROM)
        assert (here.watched["porch"].url.get_secret_value(), here.watched["porch"].stall_s) == (CAMERA, 11)
        await here.actions.change(ADMIN, "porch", {"url": "rtsp://***@camera.test:554/sub"}, FROM)
        assert here.watched["porch"].url.get_secret_value() == "rtsp://user:s3cr3t-of-it@camera.test:554/sub"
        for elsewhere in (
            "rtsp://***@other.test:554/main",
            "rtsps://***@camera.test:554/main",
            "rtsp://***@camera.test/",
        ):
            with pytest.raises(FaultyError, match="write it out again"):
                await here.actions.change(ADMIN, "porch", {"url": elsewhere}, FROM)
        await here.actions.change(ADMIN, "porch", {"url": "rtsp://other.test/main"}, FROM)
        assert here.watched["porch"].url.get_secret_value() == "rtsp://other.test/main"
        with pytest.raises(FaultyError, match="keeps its name"):
            await here.actions.change(ADMIN, "porch", {"name": "attic"}, FROM)


async def test_the_password_of_a_substream_is_kept_and_held_to_its_server(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        small = "rtsp://user:an0ther-one@camera.test:554/sub"
        shown = await here.actions.add(ADMIN, {"name": "porch", "url": CAMERA, "detect_url": small}, FROM)
        assert shown.settings["detect_url"] == "rtsp://***@camera.test:554/sub"
        assert "an0ther-one" in here.hidden
        await here.actions.change(ADMIN, "porch", {**shown.settings, "stall_s": 9}, FROM)
        assert here.watched["porch"].detect_url.get_secret_value() == small
        assert isinstance(here.watched["porch"].substream(), AddedStreamConfig)
        assert here.watched["porch"].substream().within == here.watched["porch"].within
        with pytest.raises(FaultyError, match="detect_url: write it out again"):
            await here.actions.change(ADMIN, "porch", {"detect_url": "rtsp://***@other.test:554/sub"}, FROM)
        await here.actions.change(ADMIN, "porch", {"stall_s": 7}, FROM)
        assert here.watched["porch"].detect_url is None


async def test_a_token_is_sent_to_no_other_server(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        url, token = "whep+https://camera.test/whep", "a token of its own"
        shown = await here.actions.add(ADMIN, {"name": "porch", "url": url, "token": token}, FROM)
        assert shown.settings["token"] == "***"
        await here.actions.change(ADMIN, "porch", {"url": f"{url}/2", "token": "***"}, FROM)
        assert here.watched["porch"].token.get_secret_value() == token
        await here.actions.change(ADMIN, "porch", {"url": url}, FROM)
        assert here.watched["porch"].token.get_secret_value() == token
        for fields in ({}, {"token": "***"}):
            with pytest.raises(FaultyError, match="token: write it out again"):
                await here.actions.change(ADMIN, "porch", {"url": "whep+https://other.test/whep", **fields}, FROM)
        await here.actions.change(ADMIN, "porch", {"url": url, "token": None}, FROM)
        assert here.watched["porch"].token is None


async def test_what_cannot_be_watched_is_taken_back(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.actions.add(ADMIN, {"name": "porch", "url": CAMERA}, FROM)
        here.refuses = "decision.learning: learns of the streams as they are"
        for attempt in (
            here.actions.add(ADMIN, {"name": "attic", "url": CAMERA}, FROM),
            here.actions.change(ADMIN, "porch", {"stall_s": 99}, FROM),
            here.actions.remove(ADMIN, "porch", FROM),
        ):
            with pytest.raises(ConflictError, match="nothing is changed: "):
                await attempt
        here.refuses = None
        every = await here.actions.all(ADMIN)
        assert [(each.name, each.settings.get("stall_s")) for each in every[2:]] == [("porch", 10)]
        assert "failed" in [entry.outcome for entry in await here.log()]


async def test_the_file_wins_and_says_so(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.actions.add(ADMIN, {"name": "porch", "url": CAMERA}, FROM)
        await here.actions.add(ADMIN, {"name": "call", "url": "whip:", "adapter": None}, FROM)
        tree = here.added.in_force.file
        later = MonitorConfig.model_validate(
            {
                **{section: getattr(tree, section) for section in MonitorConfig.model_fields},
                "streams": [{"name": "porch", "url": "file:a.mp4"}],
                "web": {"added_streams": {"schemes": ["rtsp"]}},
            }
        )
        here.added.take_over(await here.added.merge(later))
        assert list(here.watched) == ["porch"]
        assert not isinstance(here.watched["porch"], AddedStreamConfig)
        file, call, porch = await here.actions.all(ADMIN)
        assert (file.origin, call.watched, porch.watched) == ("file", False, False)
        assert "has a stream of the same name" in (porch.problem or "")
        assert "whip: cannot be added" in (call.problem or "")
        assert "s3cr3t" not in str(porch)
        await here.actions.remove(ADMIN, "porch", FROM)
        assert [each.name for each in await here.actions.all(ADMIN)] == ["porch", "call"]


async def test_a_stream_is_tried_before_it_is_added(tmp_path: Path) -> None:
    async with site(tmp_path, networks=["127.0.0.1/32"]) as here:
        waits = await here.actions.check(ADMIN, {"url": "whip:", "name": "call"}, FROM)
        assert (waits.ok, waits.note) == (True, "waits for a publisher at /whip/call, without a token")
        refused = await here.actions.check(ADMIN, {"url": "rtsp://user:s3cr3t-of-it@127.0.0.1:1/main"}, FROM)
        assert not refused.ok
        assert "cannot open" in (refused.error or "")
        assert "s3cr3t" not in str(refused) + str(await here.log())
        with pytest.raises(FaultyError, match="is in none of the networks"):
            await here.actions.check(ADMIN, {"url": CAMERA}, FROM)
        here.actions._checking = True
        with pytest.raises(BusyError):
            await here.actions.check(ADMIN, {"url": "whip:"}, FROM)
        assert "candidate" not in here.watched
