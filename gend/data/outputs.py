"""What lies beside the crops: the manifest, the lists, and the table of what was skipped. Written at the end, whole."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gend.data.crop_files import write_list
from gend.data.extract import CannotWriteError
from gend.data.journal import Done
from gend.data.manifest import MANIFEST, CropRecord, read_manifest
from gend.data.source_videos import Problem, Severity, source_label
from gend.errors import PictureError
from gend.whole_files import written_whole

_COLUMNS = ("severity", "kind", "file", "frame", "detail")


@dataclass(frozen=True, slots=True)
class SourceTotal:
    """What came of one source."""

    source: str
    label: int
    """0 real, 1 fake."""
    videos: int
    """That gave crops."""
    without_crops: int
    """Videos that gave none."""
    frames: int
    """Looked at."""
    crops: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A data set that is done."""

    out: Path
    dataset: str
    sources: tuple[SourceTotal, ...]
    problems: tuple[Problem, ...]
    """By file and frame."""
    lists: tuple[Path, ...]
    manifest: Path
    skipped: Path

    @property
    def crops(self) -> int:
        """All of the data set."""
        return sum(source.crops for source in self.sources)

    @property
    def failed(self) -> bool:
        """Whether a file was not prepared that should have been, or nothing was."""
        return not self.crops or any(problem.severity == Severity.ERROR for problem in self.problems)


def write_outputs(out: Path, dataset: str, done: Sequence[Done], problems: Iterable[Problem]) -> Prepared:
    """Writes all of it.

    Args:
        out: root of the tree.
        dataset: what `done` is of; other data sets of the tree stay as they are.
        done: all videos.
        problems: found before a video was worked on, or instead.

    Raises:
        PictureError: the manifest of the other data sets is damaged.
        CannotWriteError: something cannot be written.
    """
    done = sorted(done, key=lambda each: each.video.key)
    records = [replace(record, pair=each.video.pair) for each in done for record in each.extracted.records]
    found = [*problems, *(problem for each in done for problem in each.extracted.problems), *_same_files(done)]
    found.sort(key=lambda problem: (problem.file, -1 if problem.frame is None else problem.frame, problem.kind))
    manifest = _write_manifest(out, dataset, records)
    try:
        lists = _write_lists(out, dataset, done)
    except PictureError as error:
        raise CannotWriteError(str(error)) from error
    skipped = _write_skipped(out / "skipped" / f"{dataset}.csv", found)
    return Prepared(out, dataset, _totals(done), tuple(found), lists, manifest, skipped)


def _write_manifest(out: Path, dataset: str, records: Iterable[CropRecord]) -> Path:
    others = [record for record in read_manifest(out) if not record.crop.startswith(f"{dataset}/")]
    whole = sorted([*others, *records], key=lambda record: record.crop)
    _replace(out / MANIFEST, "".join(record.line() for record in whole))
    return out / MANIFEST


def _write_lists(out: Path, dataset: str, done: Sequence[Done]) -> tuple[Path, ...]:
    by_split: dict[str | None, list[Path]] = defaultdict(list)
    by_split[None] = []
    for each in done:
        crops = [out / record.crop for record in each.extracted.records]
        by_split[None] += crops
        if each.video.split is not None:
            by_split[each.video.split] += crops
    paths = []
    for split, crops in by_split.items():
        path = out / "lists" / (f"{dataset}.txt" if split is None else f"{dataset}.{split}.txt")
        write_list(path, out, crops)
        paths.append(path)
    return tuple(sorted(paths))


def _write_skipped(path: Path, problems: Iterable[Problem]) -> Path:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for problem in problems:
        frame = "" if problem.frame is None else problem.frame
        table.writerow((str(problem.severity), problem.kind, problem.file, frame, problem.detail))
    _replace(path, text.getvalue())
    return path


def _same_files(done: Iterable[Done]) -> list[Problem]:
    """Files of one content in several videos: a notice for all but the first."""
    first: dict[str, tuple[str, Done]] = {}
    problems = []
    for each in done:
        for sha256, file in {record.file_sha256: record.file for record in each.extracted.records}.items():
            other, of = first.setdefault(sha256, (file, each))
            if of.video.key != each.video.key:
                label = "" if of.video.label == each.video.label else ", whose label is another"
                problems.append(Problem(Severity.NOTICE, "same file twice", file, detail=f"it is {other}{label}"))
    return problems


def _totals(done: Iterable[Done]) -> tuple[SourceTotal, ...]:
    by_source: dict[str, list[Done]] = defaultdict(list)
    for each in done:
        by_source[each.video.source].append(each)
    return tuple(
        SourceTotal(
            source=source,
            label=source_label(source),
            videos=sum(bool(each.extracted.records) for each in videos),
            without_crops=sum(not each.extracted.records for each in videos),
            frames=sum(each.extracted.looked_at for each in videos),
            crops=sum(len(each.extracted.records) for each in videos),
        )
        for source, videos in sorted(by_source.items())
    )


def _replace(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as unfinished:
            unfinished.write_bytes(text.encode(errors="surrogateescape"))
    except OSError as error:
        raise CannotWriteError(f"{path}: cannot be written ({error.strerror})") from error
