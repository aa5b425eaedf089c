"""How many streams one machine carries: more and more of them, until crops come late or something is dropped.

Each row is the monitor's own pipeline (workers in processes of their own, batcher, encoder,
decision) on N loops of one clip, 720p25 H.264 with faces, paced as a camera's; with the demo encoder, and with one that
answers at once and so leaves the rest. Latency is from a frame's arrival to the logit of its crop. Too many are those
of which p95 is over a second, or more than one in a hundred is dropped of: frames that should have been read, looks
for faces that should have been made, crops that should have been scored.

Run: python -m benchmarks.streams [--most 64] [--faces 1] [--seconds 8] [--plot FILE.png]
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.machine import described

if TYPE_CHECKING:
    from benchmarks.streams_watch import Row

_ENGINES = ("none", "demo")
_LATE_MS, _DROPPED = 1000.0, 0.01
"""Beyond which a machine does not carry the streams: p95 from arrival to logit, and the share of anything dropped."""


def main() -> None:
    """Prints one table, and where each curve bends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=64, help="streams that are tried at the most")
    parser.add_argument("--faces", type=int, default=1, choices=(1, 2, 3), help="in each stream")
    parser.add_argument("--seconds", type=float, default=8.0, help="measured, of each row")
    parser.add_argument("--engines", nargs="+", choices=_ENGINES, default=list(_ENGINES))
    parser.add_argument("--plot", type=Path, help="PNG file of the curves")
    options = parser.parse_args()
    # Here, and not above: workers' processes are born with all that this module has imported.
    from benchmarks.camera_clip import make_camera_clip  # noqa: PLC0415
    from benchmarks.streams_watch import NoEncoder, config_of, measured  # noqa: PLC0415
    from monitor.leaving import leave_now  # noqa: PLC0415
    from monitor.parts import load_parts  # noqa: PLC0415

    logging.disable(logging.WARNING)  # that streams begin and end is no news here
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        clip = make_camera_clip(Path(folder) / "clip.mp4", faces=options.faces)
        parts = load_parts(config_of(clip, 1))
        print(
            "| encoder | streams | cores | elsewhere | of a stream, ms/s | of the service, ms/s | p50 ms | p95 ms "
            "| crops/s | unread | unsearched | unscored | PSS MB | USS MB |\n|" + 14 * "---|"
        )
        for engine in options.engines:
            chosen = parts if engine == "demo" else replace(parts, encoder=NoEncoder())
            for row in _curve(partial(measured, engine, chosen, clip, options.seconds), options.most):
                print(_line(row), flush=True)
                found.append(row)
    print()
    for engine in options.engines:
        print(_bend([row for row in found if row.engine == engine]))
    faces = "1 face" if options.faces == 1 else f"{options.faces} faces"
    print(f"\n{faces} a stream, found by {parts.face_detector}; {described('av', 'openvino', 'torch')}")
    if options.plot:
        _plot(found, options.plot)
    leave_now(0)


def _curve(measure: Callable[[int], Row], most: int) -> Iterator[Row]:
    """Twice as many each time until it is too many, and then one in between."""
    streams = 1
    while True:
        yield (row := measure(streams))
        if _too_many(row) or 2 * streams > most:
            break
        streams *= 2
    if _too_many(row) and streams > 2:
        yield measure(3 * streams // 4)


def _too_many(row: Row) -> bool:
    """Whether the machine does not carry them."""
    return row.p95_ms > _LATE_MS or max(row.unread, row.unsearched, row.unscored) > _DROPPED


def _line(row: Row) -> str:
    dropped = " | ".join(f"{share:.1%}" for share in (row.unread, row.unsearched, row.unscored))
    return (
        f"| {row.engine} | {row.streams}{' (too many)' if _too_many(row) else ''} "
        f"| {row.cores:.2f} | {row.elsewhere_cores:.2f} | {1000 * row.worker_cores / row.streams:.0f} "
        f"| {1000 * row.service_cores / row.streams:.0f} | {row.p50_ms:.0f} | {row.p95_ms:.0f} "
        f"| {row.scored_per_s:.1f} | {dropped} | {row.pss_mb:.0f} | {row.uss_mb:.0f} |"
    )


def _bend(rows: list[Row]) -> str:
    carried = max((row.streams for row in rows if not _too_many(row)), default=0)
    beyond = [row for row in rows if _too_many(row) and row.streams > carried]
    if not beyond:
        return f"encoder {rows[0].engine}: {carried} streams and more"
    row = min(beyond, key=lambda row: row.streams)
    shares = {"unread": row.unread, "unsearched": row.unsearched, "unscored": row.unscored}
    reasons = [f"{share:.1%} {cause}" for cause, share in shares.items() if share > _DROPPED]
    if row.p95_ms > _LATE_MS:
        reasons.append(f"p95 {row.p95_ms / 1000:.1f} s")
    return (
        f"encoder {row.engine}: {carried} streams are carried, {row.streams} are not ({', '.join(reasons)}); "
        f"{row.cores:.2f} of {os.cpu_count()} cores then, {row.elsewhere_cores:.2f} elsewhere"
    )


def _plot(rows: list[Row], path: Path) -> None:
    """Cores, latency and drops by the number of streams."""
    import matplotlib as mpl  # noqa: PLC0415 - of an extra

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of a backend without a screen

    figure, (cores, latency, drops) = plt.subplots(1, 3, figsize=(12, 3.6))
    for engine, name in (("none", "no encoder"), ("demo", "demo encoder")):
        curve = sorted((row for row in rows if row.engine == engine), key=lambda row: row.streams)
        if not curve:
            continue
        streams = [row.streams for row in curve]
        cores.plot(streams, [row.cores for row in curve], marker="o", label=name)
        latency.plot(streams, [row.p95_ms for row in curve], marker="o", label=name)
        worst = [100 * max(row.unread, row.unsearched, row.unscored) for row in curve]
        drops.plot(streams, worst, marker="o", label=name)
    cores.axhline(os.cpu_count() or 1, color="grey", linestyle=":")
    latency.axhline(_LATE_MS, color="grey", linestyle=":")
    latency.set_yscale("log")
    drops.axhline(100 * _DROPPED, color="grey", linestyle=":")
    for axis, title in ((cores, "cores used"), (latency, "arrival to logit, p95, ms"), (drops, "dropped, %")):
        axis.set_title(title)
        axis.set_xlabel("streams")
        axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
