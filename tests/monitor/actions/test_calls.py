"""Whose call is whose: who sees it, who publishes to it, and who finds its alerts when it is over."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from pathlib import Path

import pytest

from monitor.access import LOCAL, ForbiddenError, Principal
from monitor.access.fingerprints import fingerprint
from monitor.actions import NotFoundError
from monitor.actions.publishing import Proof, Publishing, PublishingError
from monitor.calls import Call
from monitor.messages import Event, Reply
from monitor.store import EpisodeFilter
from monitor.stream_config import StreamConfig
from tests.monitor.actions.acting import ADMIN, acting
from tests.monitor.evidence.examples import a_case, written
from tests.monitor.store.examples import an_alert

pytestmark = pytest.mark.anyio

CALL = f"call-{'a' * 24}"
OWNER = Principal("olga", "operator", frozenset({"gate"}))
COLLEAGUE = Principal("otto", "operator", frozenset({"gate"}))
VIEWER = Principal("vera", "viewer", frozenset({"gate"}))
ELSEWHERE = Principal("lena", "operator", frozenset({"lobby"}))


async def test_who_sees_the_stream_sees_its_calls_and_nobody_else_does(tmp_path: Path) -> None:
    async with acting(tmp_path) as parts:
        parts.kin.add(CALL, "gate")
        streams, live = parts.actions.streams, parts.actions.live
        shown = {view.name: view for view in await streams.all(ADMIN)}
        assert list(shown) == ["lobby", "gate", CALL]
        assert (shown[CALL].call_of, shown["gate"].call_of) == ("gate", None)
        assert [view.name for view in await streams.all(VIEWER)] == ["gate", CALL]
        assert [view.name for view in await streams.all(ELSEWHERE)] == ["lobby"]
        assert (await streams.one(VIEWER, CALL)).name == CALL
        assert live.verdicts(VIEWER, CALL) == []
        for stream in (CALL, f"call-{'b' * 24}"):  # one that is there reads like one that is not
            with pytest.raises(ForbiddenError, match=f"there is no stream {stream}, or you may not see it"):
                await streams.one(ELSEWHERE, stream)
            with pytest.raises(ForbiddenError, match=f"there is no stream {stream}, or you may not see it"):
                live.verdicts(ELSEWHERE, stream)
        with pytest.raises(NotFoundError):
            await parts.actions.snoozes.end(ADMIN, CALL)  # that is its stream's


async def test_news_of_calls_is_told_to_who_listens_to_their_stream(tmp_path: Path) -> None:
    async with acting(tmp_path) as parts:
        parts.kin.add(CALL, "gate")
        following = {
            name: await parts.actions.live.follow(who, streams, ["event", "alert"], None)
            for name, who, streams in [("gate", VIEWER, []), ("call", ADMIN, [CALL]), ("lobby", ELSEWHERE, [])]
        }
        parts.live.happened(Event("lobby", "abstention", 1.0, "1", "of another"))
        parts.live.happened(Event(CALL, "abstention", 1.0, "1", "of the call"))
        parts.kin.discard(CALL)  # what is recorded after its end is told as well
        parts.live.recorded(an_alert(1, stream=CALL, call_of="gate"))
        heard = {}
        for name, each in following.items():
            news, _ = await each._subscription.take()
            heard[name] = [(item.type, item.stream) for item in news]
            each.close()
        of_call = [("event", CALL), ("alert", CALL)]
        assert heard == {"gate": of_call, "call": of_call, "lobby": [("event", "lobby")]}


async def test_alerts_and_evidence_of_a_call_that_is_over_are_for_who_sees_its_stream(tmp_path: Path) -> None:
    package = await asyncio.to_thread(
        lambda: written(tmp_path / "evidence", a_case(1, stream=CALL, call_of="gate"), keep_hours=87600)[0]
    )
    async with acting(tmp_path) as parts:
        await parts.store.record(an_alert(1, stream=CALL, call_of="gate"), [])
        alerts, evidence = parts.actions.alerts, parts.actions.evidence
        for asked in (EpisodeFilter(), EpisodeFilter(frozenset({"gate"})), EpisodeFilter(frozenset({CALL}))):
            (found,) = (await alerts.find(VIEWER, asked, 10, None)).items
            assert found.raised.stream == CALL
        assert (await alerts.find(ELSEWHERE, EpisodeFilter(), 10, None)).items == []
        with pytest.raises(ForbiddenError):
            await alerts.find(ELSEWHERE, EpisodeFilter(frozenset({CALL})), 10, None)
        assert (await alerts.one(VIEWER, "episode-1")).episode.raised.call_of == "gate"
        with pytest.raises(NotFoundError):
            await alerts.one(ELSEWHERE, "episode-1")
        assert (await evidence.file(VIEWER, CALL, package.name, "alert.json")).path.is_file()
        with pytest.raises(ForbiddenError, match=f"there is no stream {CALL}, or you may not see it"):
            await evidence.file(ELSEWHERE, CALL, package.name, "alert.json")
        raised = [an_alert(1, stream=CALL, call_of="gate")]
        assert await evidence.portraits(VIEWER, raised) == {"episode-1": (package.name, "crops/01.png")}
        assert await evidence.portraits(ELSEWHERE, raised) == {}


class _OneCall:
    """A call of `gate`, as somebody has begun it."""

    unused_s = 60.0

    def __init__(self, owner: Principal | None, token: str | None) -> None:
        self.call = Call(CALL, "gate", owner, None if token is None else fingerprint(token))

    def find(self, name: str) -> Call | None:
        return self.call if name == CALL else None

    async def begin(self, after: str, owner: Principal | None, token: str | None) -> Call:
        raise NotImplementedError

    def published(self, name: str) -> None:
        pass

    async def end(self, name: str, reason: str) -> None:
        pass

    def publish(self, stream: str, session: str, sdp: str) -> Future[Reply]:
        raise NotImplementedError

    def leave(self, stream: str, session: str) -> Future[Reply]:
        raise NotImplementedError


def answer(calls: _OneCall, proof: Proof) -> str:
    gate = StreamConfig.model_validate({"name": "gate", "url": "whip:", "sessions": "many", "token": "of the stream"})
    try:
        Publishing(calls, {"gate": gate}.get, calls=calls, locked=True).authorise(CALL, proof)
    except PublishingError as error:
        return error.cause
    except ForbiddenError:
        return "forbidden"
    return "yes"


async def test_a_call_is_published_to_by_its_token_or_its_owner_and_nobody_else() -> None:
    own = _OneCall(OWNER, "of the call")
    answers = {
        "its token": answer(own, Proof(token="of the call")),
        "another's token": answer(own, Proof(token="of another")),
        "the stream's token": answer(own, Proof(token="of the stream")),
        "nothing": answer(own, Proof()),
        "owner": answer(own, Proof(OWNER)),
        "owner who may no more": answer(own, Proof(Principal("olga", "viewer", OWNER.streams))),
        "colleague": answer(own, Proof(COLLEAGUE)),
        "elsewhere": answer(own, Proof(ELSEWHERE)),
        "admin": answer(own, Proof(ADMIN)),
    }
    assert answers == {
        "its token": "yes",
        "another's token": "unproven",
        "the stream's token": "unproven",
        "nothing": "unproven",
        "owner": "yes",
        "owner who may no more": "forbidden",
        "colleague": "forbidden",
        "elsewhere": "unknown",
        "admin": "forbidden",
    }
    # Where there are no users everybody is the local one.
    assert answer(_OneCall(LOCAL, "of the call"), Proof(LOCAL)) == "unproven"
    assert answer(_OneCall(LOCAL, None), Proof(LOCAL)) == "yes"
