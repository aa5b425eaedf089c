"""Who may do what: every action, asked by everybody, held against one table."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.access import ForbiddenError, Principal
from monitor.actions import Actions, ConflictError, NotFoundError
from monitor.store import EpisodeFilter
from monitor.uploads import KeyPicture, Wish
from tests.monitor.actions.acting import ADMIN, ELSEWHERE, OPERATOR, VIEWER, acting
from tests.monitor.evidence.examples import a_case, written
from tests.monitor.store.examples import an_alert

pytestmark = pytest.mark.anyio

PACKAGE = "20260131T120005Z-episode-1"
ANY = EpisodeFilter()
SOON = datetime.now(UTC) + timedelta(hours=1)

Ask = Callable[[Any, Principal], Any]
YES, NO, HIDDEN = "yes", "no", "hidden"
"""Done; refused; as if it were not there."""


def sent(actions: Actions) -> str:
    """The id of a file that somebody else has sent."""
    return next(job.id for job in actions.scores.all(ADMIN) if job.owner == "vera")


# What each action is asked, and the answer to a viewer, an operator, an admin, and an admin of another stream only.
TABLE: dict[str, tuple[Ask, str, str, str, str]] = {
    "streams.all": (lambda a, p: a.streams.all(p), YES, YES, YES, YES),
    "streams.one": (lambda a, p: a.streams.one(p, "lobby"), YES, YES, YES, NO),
    "calls.begin": (lambda a, p: a.calls.begin(p, "lobby"), NO, HIDDEN, HIDDEN, NO),  # nobody publishes to it
    "live.verdicts": (lambda a, p: a.live.verdicts(p, "lobby"), YES, YES, YES, NO),
    "live.follow": (lambda a, p: a.live.follow(p, ["lobby"], ["alert"], None), YES, YES, YES, NO),
    "pictures.newest": (lambda a, p: a.pictures.newest(p, "lobby"), YES, YES, YES, NO),
    "pictures.watch": (lambda a, p: a.pictures.watch(p, "lobby"), YES, YES, YES, NO),
    "board.watch": (lambda a, p: a.board.watch(p, "lobby"), YES, YES, YES, NO),
    "recent.of": (lambda a, p: a.recent.of(p, "lobby"), YES, YES, YES, NO),
    "alerts.find": (lambda a, p: a.alerts.find(p, ANY, 10, None), YES, YES, YES, YES),
    "alerts.one": (lambda a, p: a.alerts.one(p, "episode-1"), YES, YES, YES, HIDDEN),
    "alerts.messages": (lambda a, p: a.alerts.messages(p, "episode-1", 10, None), YES, YES, YES, HIDDEN),
    "alerts.export": (lambda a, p: a.alerts.export(p, ANY), YES, YES, YES, YES),
    "alerts.review": (lambda a, p: a.alerts.review(p, "episode-1", "right", None), NO, YES, YES, HIDDEN),
    "snoozes.begin": (lambda a, p: a.snoozes.begin(p, "lobby", SOON), NO, YES, YES, NO),
    "snoozes.end": (lambda a, p: a.snoozes.end(p, "lobby"), NO, YES, YES, NO),
    "evidence.packages": (lambda a, p: a.evidence.packages(p, "episode-1"), YES, YES, YES, HIDDEN),
    "evidence.portraits": (lambda a, p: a.evidence.portraits(p, [an_alert(1)]), YES, YES, YES, YES),
    "evidence.file": (lambda a, p: a.evidence.file(p, "lobby", PACKAGE, "alert.json"), YES, YES, YES, NO),
    "evidence.files": (lambda a, p: a.evidence.files(p, "lobby", PACKAGE), YES, YES, YES, NO),
    "evidence.verification": (lambda a, p: a.evidence.verification(p, "lobby", PACKAGE), YES, YES, YES, NO),
    "calibrations.all": (lambda a, p: a.calibrations.all(p), YES, YES, YES, YES),
    "calibrations.one": (lambda a, p: a.calibrations.one(p, "lobby"), YES, YES, YES, NO),
    "calibrations.curve": (lambda a, p: a.calibrations.curve(p, "lobby"), YES, YES, YES, NO),
    "calibrations.asked": (lambda a, p: a.calibrations.asked(p), YES, YES, YES, YES),
    "calibrations.learning": (lambda a, p: a.calibrations.learning(p), YES, YES, YES, YES),
    "adapters.all": (lambda a, p: a.adapters.all(p), YES, YES, YES, YES),
    "configuration.reload": (lambda a, p: a.configuration.reload(p), NO, NO, YES, NO),
    "added_streams.all": (lambda a, p: a.added_streams.all(p), NO, NO, YES, NO),
    "added_streams.one": (lambda a, p: a.added_streams.one(p, "lobby"), NO, NO, YES, NO),
    "added_streams.add": (lambda a, p: a.added_streams.add(p, {}, "cli"), NO, NO, YES, NO),
    "added_streams.change": (lambda a, p: a.added_streams.change(p, "lobby", {}, "cli"), NO, NO, YES, NO),
    "added_streams.remove": (lambda a, p: a.added_streams.remove(p, "lobby", "cli"), NO, NO, YES, NO),
    "added_streams.check": (lambda a, p: a.added_streams.check(p, {}, "cli"), NO, NO, YES, NO),
    "scores.submit": (lambda a, p: a.scores.submit(p, "a.png", io.BytesIO(), Wish()), NO, YES, YES, YES),
    "scores.all": (lambda a, p: a.scores.all(p), NO, YES, YES, YES),
    "scores.one": (lambda a, p: a.scores.one(p, sent(a)), NO, HIDDEN, YES, YES),
    "scores.offer": (lambda a, p: a.scores.offer(p), NO, YES, YES, YES),
    "scores.annotated": (lambda a, p: a.scores.annotated(p, sent(a)), NO, HIDDEN, YES, YES),
    "scores.picture": (lambda a, p: a.scores.picture(p, sent(a), 7), NO, HIDDEN, YES, YES),
    "scores.cancel": (lambda a, p: a.scores.cancel(p, sent(a)), NO, HIDDEN, YES, YES),
    "system.versions": (lambda a, p: a.system.versions(p), YES, YES, YES, YES),
    "system.show": (lambda a, p: a.system.show(p), YES, YES, YES, YES),
}


def every_action() -> dict[str, Callable[..., Any]]:
    hints = inspect.get_annotations(Actions, eval_str=True)
    return {
        f"{field.name}.{name}": method
        for field in dataclasses.fields(Actions)
        for name, method in inspect.getmembers(hints[field.name], inspect.isfunction)
        if not name.startswith("_")
    }


def test_table_has_every_action() -> None:
    assert set(TABLE) == set(every_action())


def test_every_action_asks_first_who_asks() -> None:
    for name, method in every_action().items():
        parameters = list(inspect.signature(method).parameters.values())
        assert (name, parameters[1].name, parameters[1].annotation) == (name, "principal", "Principal")
        body = inspect.getsource(method).rpartition('"""')[2] if method.__doc__ else inspect.getsource(method)
        assert body.strip().startswith("principal.require("), name


async def answer(ask: Ask, actions: Actions, principal: Principal) -> str:
    try:
        told = ask(actions, principal)
        if inspect.isawaitable(told):
            await told
    except ForbiddenError:
        return NO
    except NotFoundError:
        return HIDDEN
    except ConflictError:  # this service was started from no file; asking was allowed
        return YES
    return YES


async def test_everybody_may_what_the_table_says(tmp_path: Path) -> None:
    (package,) = await asyncio.to_thread(written, tmp_path / "evidence", a_case(1), keep_hours=87600)
    assert package.name == PACKAGE
    people = (VIEWER, OPERATOR, ADMIN, ELSEWHERE)
    async with acting(tmp_path) as parts:
        await parts.store.record(an_alert(1), [])
        for _ in people:  # as many as may be cancelled
            job = await parts.jobs.submit("vera", "a.png", io.BytesIO(), Wish())
            # Nobody works on it here: as if somebody had.
            pictures = (KeyPicture(7, 0.3, 640, 480),)
            parts.jobs._jobs[job.id] = dataclasses.replace(job, annotated="annotated.png", pictures=pictures)
        found = {
            name: tuple([await answer(ask, parts.actions, person) for person in people])
            for name, (ask, *_) in TABLE.items()
        }
    assert found == {name: tuple(expected) for name, (_, *expected) in TABLE.items()}


async def test_lists_leave_out_what_may_not_be_seen(tmp_path: Path) -> None:
    await asyncio.to_thread(written, tmp_path / "evidence", a_case(1), a_case(2, stream="gate"), keep_hours=87600)
    async with acting(tmp_path) as parts:
        await parts.store.record(an_alert(1, stream="lobby"), [])
        await parts.store.record(an_alert(2, stream="gate"), [])
        actions = parts.actions
        assert [view.name for view in await actions.streams.all(ELSEWHERE)] == ["gate"]
        assert [promise.stream for promise in await actions.calibrations.all(ELSEWHERE)] == ["gate"]
        page = await actions.alerts.find(ELSEWHERE, ANY, 10, None)
        assert [episode.raised.stream for episode in page.items] == ["gate"]
        exported = [episode async for some in await actions.alerts.export(ELSEWHERE, ANY) for episode in some]
        assert [episode.raised.stream for episode in exported] == ["gate"]
        shown = await actions.evidence.portraits(ELSEWHERE, [an_alert(1), an_alert(2, stream="gate")])
        assert shown == {"episode-2": ("20260131T120005Z-episode-2", "crops/01.png")}
        assert list(actions.system.show(ELSEWHERE).health.streams) == ["gate"]
        assert list(actions.system.show(ELSEWHERE).workers.restarts) == ["gate"]
