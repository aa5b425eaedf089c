"""`gend-monitor calibrate`: of footage, of streams while they are watched, or of what `run` has learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypedDict

import typer

from monitor.cli_options import load
from monitor.errors import ConfigError
from monitor.leaving import leave_now

CALIBRATE_EXAMPLES = (
    "Example: gend-monitor calibrate monday.mp4 tuesday/ --config monitor.yaml --out lobby.json. "
    "Of live streams, nothing else running: gend-monitor calibrate --live --days 10 --config monitor.yaml --out "
    "lobby.json. Of what `run` has learnt, as reviewed: gend-monitor calibrate --from-reviews --config monitor.yaml "
    "--out lobby.json"
)
_DAYS = 10.0


class _Options(TypedDict):
    stream: str | None
    session_hours: float | None
    report: Path | None


def calibrate(
    config: Annotated[Path, typer.Option(help="Takes streams, faces, encoder and decision from this file.")],
    out: Annotated[Path, typer.Option(help="File to write, for decision.calibration.")],
    footage: Annotated[
        list[Path] | None,
        typer.Argument(help="Real people only; each a session: a file, or a folder of its chunks."),
    ] = None,
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Watch the streams and learn; Ctrl-C keeps it, the same command goes on.")
    ] = False,
    days: Annotated[
        float | None, typer.Option(help="With --live: days of complete sessions; 10 by default.", min=1e-6, max=3650)
    ] = None,
    learnt: Annotated[bool, typer.Option("--learnt", help="Of all that was learnt (decision.learning).")] = False,
    from_reviews: Annotated[
        bool, typer.Option("--from-reviews", help="Of that, without sessions whose alerts were right or are in doubt.")
    ] = False,
    stream: Annotated[str | None, typer.Option(help="Whose footage or sessions, where streams differ.")] = None,
    session_hours: Annotated[
        float | None,
        typer.Option(
            help="Hours of a session; by default those of the shortest footage, or 24 live.", min=1e-6, max=24
        ),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="HTML report; by default beside --out, ending in .html.")] = None,
) -> None:
    """Measure false alarms on your own footage or streams, and say what can be promised."""
    options: _Options = {"stream": stream, "session_hours": session_hours, "report": report}
    given = {"FOOTAGE": bool(footage), "--live": live, "--learnt": learnt, "--from-reviews": from_reviews}
    asked = [name for name, there in given.items() if there]
    if len(asked) != 1:
        found = f"not {' and '.join(asked)}" if asked else "none of them is there"
        raise ConfigError(f"give either FOOTAGE, --live, --learnt or --from-reviews; {found}")
    if days is not None and not live:
        raise ConfigError("--days: goes with --live")
    if footage:
        from monitor.calibrating import calibrate_files  # noqa: PLC0415

        calibrate_files(footage, load(config), out, **options)
    elif live:
        from monitor.calibrating_live import calibrate_live  # noqa: PLC0415

        leave_now(calibrate_live(load(config), out, days=days or _DAYS, **options))
    else:
        from monitor.calibrating_learnt import calibrate_learnt  # noqa: PLC0415

        calibrate_learnt(load(config), out, from_reviews=from_reviews, **options)
