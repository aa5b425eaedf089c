"""`gend-monitor review`, `reviews` and `snooze`: what people say of alerts, and when they want none.

They write into the service's store, whether or not it runs. Nothing learns from a review until somebody asks for it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli_options import AsJson, ConfigFile, load
from monitor.config import MonitorConfig
from monitor.errors import ConfigError
from monitor.messages import Alert, Answer
from monitor.moments import MOST_SNOOZE_DAYS, duration, moment

if TYPE_CHECKING:
    from monitor.store import ReviewedEpisode, ReviewStore

_LONGEST_SNOOZE = timedelta(days=MOST_SNOOZE_DAYS)

By = Annotated[str | None, typer.Option(help="Who says so.")]


def review(
    config: ConfigFile,
    alert_id: Annotated[str, typer.Argument(help="The alert_id of the episode; `reviews --unreviewed` lists them.")],
    answer: Annotated[Answer, typer.Argument(help="Whether the alert was right.")],
    by: By = None,
    note: Annotated[str | None, typer.Option(help="What was to be seen.")] = None,
) -> None:
    """Say whether an alert was right; the last word counts, the earlier ones are kept."""
    episode = asyncio.run(_review(load(config), alert_id, answer, by, note))
    print(_line(episode))


def reviews(
    config: ConfigFile,
    unreviewed: Annotated[bool, typer.Option("--unreviewed", help="Episodes of which nobody said anything.")] = False,
    limit: Annotated[int, typer.Option(help="Print the newest so many episodes.", min=1)] = 100,
    as_json: AsJson = False,
) -> None:
    """Print what people said of the alert episodes, oldest first."""
    if unreviewed:
        for alert in asyncio.run(_unreviewed(load(config), limit)):
            print(json.dumps(_episode(alert), ensure_ascii=False) if as_json else _head(alert))
        return
    for episode in asyncio.run(_reviewed(load(config)))[-limit:]:
        print(json.dumps(_fields(episode), ensure_ascii=False) if as_json else _line(episode))


def snooze(
    config: ConfigFile,
    stream: Annotated[str, typer.Argument(help="Name of a configured stream.")],
    *,
    length: Annotated[str | None, typer.Option("--for", metavar="LENGTH", help="30m, 2h, 1d; 31d at most.")] = None,
    until: Annotated[
        str | None, typer.Option(metavar="MOMENT", help="18:00 or 2026-01-31T18:00, local time unless a zone is given.")
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="End the snooze now.")] = False,
    by: By = None,
) -> None:
    """Let a stream's alerts call nobody for a while; they are still recorded. Without an option, say what holds."""
    loaded = load(config)
    names = [configured.name for configured in loaded.streams]
    if stream not in names:
        raise ConfigError(f"{config}: no stream is called {stream}; there are {', '.join(names)}")
    asked = _asked(length, until, end=end)
    if asked is not None:
        asyncio.run(_snooze(loaded, stream, asked, by))
    standing = asyncio.run(_standing(loaded, stream))
    print(f"{stream}: {'not snoozed' if standing is None else f'snoozed until {_local(standing)}'}")


def _asked(length: str | None, until: str | None, *, end: bool) -> datetime | None:
    """The moment that the options name; None where there is none of them."""
    if (length is not None) + (until is not None) + end > 1:
        raise ConfigError("--for, --until, --end: give one of them")
    now = datetime.now(UTC)
    if length is not None:
        at, asked = now + duration(length), f"--for {length}"
    elif until is not None:
        at, asked = moment(until, now), f"--until {until}"
    else:
        return now if end else None
    if at <= now:
        raise ConfigError(f"{asked}: that is over; --end ends a snooze")
    if at - now > _LONGEST_SNOOZE:
        raise ConfigError(f"{asked}: at most {_LONGEST_SNOOZE.days} days, so that no stream is forgotten")
    return at


@asynccontextmanager
async def _opened(config: MonitorConfig) -> AsyncIterator[ReviewStore]:
    from monitor.store import opened_reviews  # noqa: PLC0415

    async with opened_reviews(config.store.url.get_secret_value()) as store:
        yield store


async def _review(
    config: MonitorConfig, alert_id: str, answer: Answer, by: str | None, note: str | None
) -> ReviewedEpisode:
    async with _opened(config) as store:
        return await store.review(alert_id, answer, by=by, note=note)


async def _reviewed(config: MonitorConfig) -> list[ReviewedEpisode]:
    async with _opened(config) as store:
        return await store.reviewed_episodes()


async def _unreviewed(config: MonitorConfig, limit: int) -> list[Alert]:
    async with _opened(config) as store:
        return await store.unreviewed_episodes(limit)


async def _snooze(config: MonitorConfig, stream: str, until: datetime, by: str | None) -> None:
    async with _opened(config) as store:
        await store.snooze(stream, until, by=by)


async def _standing(config: MonitorConfig, stream: str) -> datetime | None:
    async with _opened(config) as store:
        until = (await store.snoozes()).get(stream)
    return until if until is not None and until > datetime.now(UTC) else None


def _head(alert: Alert) -> str:
    return (
        f"{alert.at:%Y-%m-%d %H:%M:%S} {alert.stream} {alert.track} {alert.alert_id}: "
        f"evidence {alert.evidence:.1f} of {alert.threshold:g}"
    )


def _line(episode: ReviewedEpisode) -> str:
    last = episode.reviews[-1]
    by = f" by {last.by}" if last.by else ""
    said = f"contradicting: {episode.contradiction}" if episode.contradiction else f"{last.answer}{by}"
    # A note may have come from a page and have lines; each episode is one.
    note = f"; {' '.join(last.note.split())}" if last.note else ""
    return f"{_head(episode.raised)}; {said}{note}"


def _episode(alert: Alert) -> dict[str, Any]:
    return {
        "alert_id": alert.alert_id,
        "stream": alert.stream,
        "track": alert.track,
        "raised_at": _utc(alert.at),
        "evidence": alert.evidence,
        "threshold": alert.threshold,
    }


def _fields(episode: ReviewedEpisode) -> dict[str, Any]:
    last = episode.reviews[-1]
    return {
        **_episode(episode.raised),
        "answer": episode.answer,
        "by": last.by,
        "note": last.note,
        "contradiction": episode.contradiction,
        "reviews": [
            {"answer": each.answer, "by": each.by, "note": each.note, "at": _utc(each.at)} for each in episode.reviews
        ],
    }


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _local(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M %Z}"
