"""`gend-monitor check`: what is found of all that a configuration names, and how many streams the machine carries."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from monitor.cli_options import AsJson, ConfigFile, load
from monitor.leaving import leave_now

if TYPE_CHECKING:
    from monitor.capacity import Answer, CapacityReport
    from monitor.check import CheckReport
    from monitor.config import MonitorConfig

CHECK_EXAMPLES = (
    "Example: gend-monitor check monitor.yaml --json. How many streams: gend-monitor check monitor.yaml --capacity"
)

_QUIET_CORES = 0.2
"""What other programs may take of the machine without being mentioned."""


def check_command(
    config: ConfigFile,
    *,
    as_json: AsJson = False,
    timeout_s: Annotated[float, typer.Option(help="Seconds given to each stream.", min=1, max=120)] = 15,
    capacity: Annotated[
        bool, typer.Option("--capacity", help="Measure how many streams like these this machine carries.")
    ] = False,
    seconds: Annotated[
        float, typer.Option(help="With --capacity: how long each stream is measured.", min=3, max=3600)
    ] = 10,
) -> None:
    """Try every stream and the broker once; say what is promised of each stream, and whether targets are understood."""
    read = load(config)  # a mistake in it is told before anything slow is imported
    from monitor.check import check  # noqa: PLC0415

    report = asyncio.run(check(read, timeout_s))
    if not as_json:
        _print(report)
    measured = _measure(read, report, timeout_s, seconds) if capacity else None
    if as_json:
        found: dict[str, Any] = asdict(report)
        print(json.dumps(found if measured is None else {**found, "capacity": asdict(measured)}))
    elif measured is not None:
        print_capacity(measured)
    # At once: a thread may be stuck in a camera's driver.
    if not report.ok or (measured is not None and measured.answer is None):
        leave_now(1)


def _measure(config: MonitorConfig, report: CheckReport, open_s: float, seconds: float) -> CapacityReport:
    from monitor.capacity import measure_capacity  # noqa: PLC0415
    from monitor.terminal import work_progress  # noqa: PLC0415

    opened = {stream.name for stream in report.streams if stream.ok}
    with work_progress() as shown:
        return measure_capacity(config, opened, seconds=seconds, open_s=open_s, progress=shown)


def _print(report: CheckReport) -> None:
    from monitor.check import calibration_line  # noqa: PLC0415

    table = Table("stream", "", "codec", "picture", "fps")
    for stream in report.streams:
        picture = f"{stream.width}x{stream.height}" if stream.width else ""
        fps = f"{stream.fps:.0f}" if stream.fps else ""
        table.add_row(stream.name, "ok" if stream.ok else "FAILED", stream.codec or "", picture, fps)
    Console().print(table)
    for stream in report.streams:
        if stream.error or stream.note:
            print(f"{stream.name}: {stream.error or stream.note}")
    for calibration in report.calibrations:
        print(calibration_line(calibration))
    print(f"broker: {report.mqtt}")
    if report.web != "ok":
        print(report.web)
    for target in report.notify:
        print(target.error or f"notify.{target.name}: understood: {target.kind}")


def print_capacity(report: CapacityReport) -> None:
    """What was measured of each stream and of the encoder, what that makes, and what it assumes."""
    table = Table("stream", "cores", "MB", "fps", "faces", "crops/s")
    for stream in report.streams:
        if (cost := stream.cost) is not None:
            faces = f"{cost.faces:.1f} ({cost.faces_share:.0%} of the time)"
            figures = (
                f"{cost.cores:.3f}",
                f"{cost.memory_mb:.0f}",
                f"{cost.fps:.0f}",
                faces,
                f"{cost.crops_per_s:.2f}",
            )
            table.add_row(stream.stream, *figures)
    if table.row_count:
        Console().print(table)
    for stream in report.streams:
        if stream.error is not None:
            print(f"{stream.stream}: {stream.error}")
    if report.encoder is not None:
        encoder = report.encoder
        print(f"encoder: {encoder.name}: {encoder.crops_per_s:.1f} crops/s, {encoder.cpu_s_per_crop:.3f} CPU-s each")
        if encoder.elsewhere_cores > _QUIET_CORES:
            taken = f"{encoder.elsewhere_cores:.1f} cores"
            print(f"other programs took {taken} meanwhile: without them the encoder gives more; better measured again")
    if report.answer is not None:
        _print_answer(report.answer)
    else:
        print(f"capacity: {report.error}")


def _print_answer(answer: Answer) -> None:
    from monitor.capacity import USED  # noqa: PLC0415

    table = Table("what streams share", "enough for", "because")
    for limit in answer.limits:
        enough = "-" if limit.streams is None else f"{limit.streams:.1f}"
        table.add_row(limit.name, enough, limit.reason)
    Console().print(table)
    streams = "1 stream" if answer.streams == 1 else f"{answer.streams} streams"
    print(f"capacity: {streams} like these; what runs out first: {answer.limit}; what helps: {answer.helps}")
    faces = f"{answer.faces_at_a_time:.1f}" if answer.faces_at_a_time < 10 else f"{answer.faces_at_a_time:.0f}"
    print(f"the encoder is enough for {faces} faces at a time, of all streams together, while none is suspected")
    print(
        f"assumed: faces as in these seconds; {1 - USED:.0%} of everything kept free for the service itself and for "
        "suspected faces, which want more crops"
    )
