"""From a layout and a folder to the videos in it: what is real, what was made of what, and where each belongs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gend.data.folder_tree import visible_files
from gend.data.label_tables import LabelTable, Row
from gend.data.layout import Layout, Source, Splits, Table
from gend.data.path_patterns import MissingFieldError, Pattern, Template
from gend.data.source_videos import Plan, Problem, Severity, SourceVideo, arranged, with_dataset, without_partner
from gend.errors import PictureError

Fields = Mapping[str, str]
_FOREIGN = "not of this layout"


def plan_layout(src: Path, layout: Layout, dataset: str, *, but: Path | None = None) -> Plan:
    """What a folder holds of a data set.

    Args:
        src: the folder.
        layout: how the data set lies there.
        dataset: name of the data set.
        but: a folder, resolved, whose files are left out.

    Raises:
        PictureError: no such folder, or nothing in it that the layout knows.
    """
    names = [str(name) for name in visible_files(src, but=but)]
    sources = [_Source(source, frozenset(names)) for source in layout.sources]
    tables = None if layout.table is None else _Tables(src, layout.table)
    splits = _Splits(src, layout.splits)
    videos: list[SourceVideo] = []
    problems: list[Problem] = []
    for file in names:
        try:
            video = _video(file, sources, tables, splits)
        except _NotPreparedError as error:
            problems.append(error.problem)
        else:
            videos += [] if video is None else [video]
    problems += [] if tables is None else tables.problems()
    if all(problem.kind == _FOREIGN for problem in problems) and not videos:
        patterns = ", ".join(source.files for source in layout.sources[:2])
        example = f"{names[0]} is not {patterns} …" if names else "it holds no videos"
        raise PictureError(f"{src}: not a data set of this layout: {example}")
    problems += splits.problems
    plan = arranged((with_dataset(video, dataset) for video in videos), problems)
    missing_masks = [
        Problem(Severity.NOTICE, "no mask", video.files[0], detail="the largest face of each frame is taken")
        for video in plan.videos
        if video.masks == (None,)
    ]
    return Plan(plan.videos, (*plan.problems, *missing_masks, *without_partner(plan.videos)))


def _video(file: str, sources: list[_Source], tables: _Tables | None, splits: _Splits) -> SourceVideo | None:
    """The video of a file; None where no table could be read that says whose it is.

    Raises:
        _NotPreparedError: it is none that the layout knows what to do with.
    """
    said: set[str] = set()
    is_known = False
    for source in sources:
        fields = source.fields(file)
        if fields is None:
            continue
        is_known = True
        try:
            row = {} if tables is None else tables.row(fields)
            if row is None:
                return None
            if source.takes(row):
                return source.video(file, {**row, **fields}, splits)
        except PictureError as error:
            raise _NotPreparedError(Severity.ERROR, "no label", file, str(error)) from error
        except MissingFieldError as error:
            raise _NotPreparedError(Severity.ERROR, "no label", file, f"its row has no {error}") from error
        said |= {f"{column} is {row[column]}" if column in row else f"no {column}" for column in source.columns}
    if is_known:
        raise _NotPreparedError(Severity.ERROR, "no label", file, f"its row says: {', '.join(sorted(said))}")
    if any(source.is_mask(file) for source in sources):
        return None
    raise _NotPreparedError(Severity.NOTICE, _FOREIGN, file, "")


class _NotPreparedError(Exception):
    def __init__(self, severity: Severity, kind: str, file: str, detail: str) -> None:
        self.problem = Problem(severity, kind, file, detail=detail)


class _Source:
    """One source of a layout, ready to be asked."""

    def __init__(self, source: Source, present: frozenset[str]) -> None:
        self._source = source
        self._present = present
        self._files = Pattern(source.files)
        self._mask = None if source.mask is None else Template(source.mask)
        # A template without conversions finds, as a pattern, what it can be filled to.
        self._masks = None if source.mask is None or "|stem" in source.mask else Pattern(source.mask)
        self._where = {
            column: {str(value) for value in (values if isinstance(values, list) else [values])}
            for column, values in source.where.items()
        }

    @property
    def columns(self) -> list[str]:
        """Of the table, those that it depends on."""
        return list(self._where)

    def fields(self, file: str) -> Fields | None:
        """What the name of a file says; None where it is none of this source's."""
        found = self._files.match(file)
        return None if found is None else {**found, "file": file, "stem": Path(file).stem}

    def is_mask(self, file: str) -> bool:
        """Whether it is named as masks of this source are."""
        return self._masks is not None and self._masks.match(file) is not None

    def takes(self, row: Row) -> bool:
        """Whether the table says that a video is of this source."""
        return all(row.get(column) in values for column, values in self._where.items())

    def video(self, file: str, fields: Fields, splits: _Splits) -> SourceVideo:
        """The video, its key and pair without the data set.

        Raises:
            MissingFieldError: the table has not said enough of it.
        """
        source = self._source
        masks: tuple[str | None, ...] = ()
        if self._mask is not None:
            mask = self._mask.fill(fields)
            masks = (mask if mask in self._present else None,)
        return SourceVideo(
            key=f"{source.source}/{Template(source.video).fill(fields)}",
            files=(file,),
            masks=masks,
            pair=None if source.pair is None else Template(source.pair).fill(fields),
            split=splits.of(file, Template(source.split_key).fill(fields)),
        )


class _Tables:
    """The tables of a data set: one for all, or one in each folder."""

    def __init__(self, src: Path, table: Table) -> None:
        self._src = src
        self._file, self._row = Template(table.file), Template(table.row)
        self._key = None if table.key is None else Template(table.key)
        self._read: dict[str, LabelTable | None] = {}
        self._faults: dict[str, str] = {}
        self._left_out: Counter[str] = Counter()

    def row(self, fields: Fields) -> Row | None:
        """The row of a video; None where its table cannot be read, which is told for all of its videos at once.

        Raises:
            PictureError: there is no such row, or several that contradict each other.
        """
        file = self._file.fill(fields)
        if file not in self._read:
            try:
                self._read[file] = LabelTable(self._src / file, self._key)
            except PictureError as error:
                self._read[file] = None
                self._faults[file] = str(error).removeprefix(f"{self._src / file}: ")
        table = self._read[file]
        if table is None:
            self._left_out[file] += 1
            return None
        return table.row(self._row.fill(fields))

    def problems(self) -> list[Problem]:
        """One for each table that could not be read."""
        return [
            Problem(
                Severity.ERROR, "label table", file, detail=f"{fault}; files left out for it: {self._left_out[file]}"
            )
            for file, fault in self._faults.items()
        ]


class _Splits:
    """Which split a video belongs to."""

    def __init__(self, src: Path, splits: Splits | None) -> None:
        self.problems: list[Problem] = []
        self._rest = None if splits is None else splits.rest
        self._members: dict[str, frozenset[str]] = {}
        for split, file in {} if splits is None else splits.lists.items():
            try:
                self._members[split] = frozenset(_words(src / file))
            except FileNotFoundError:
                detail = f"there will be no list of {split}"
                self.problems.append(Problem(Severity.NOTICE, "no such list of a split", file, detail=detail))
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                self.problems.append(Problem(Severity.ERROR, "cannot read this list of a split", file, detail=reason))
        self._complete = splits is not None and len(self._members) == len(splits.lists)

    def of(self, file: str, key: str) -> str | None:
        """The split of a video, None where nobody says."""
        found = [split for split, members in self._members.items() if key in members]
        if len(found) > 1:
            detail = f"{key} is in the lists of {' and '.join(found)}"
            self.problems.append(Problem(Severity.ERROR, "in two splits", file, detail=detail))
            return None
        return found[0] if found else self._rest if self._complete else None


def _words(path: Path) -> Iterator[str]:
    """All texts of a JSON file, or all words of any other."""
    text = path.read_text(encoding="utf-8-sig")
    return _texts(json.loads(text)) if path.suffix.lower() == ".json" else iter(text.split())


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str | int):
        yield str(content)
    elif isinstance(content, dict):
        yield from content
        for inner in content.values():
            yield from _texts(inner)
    elif isinstance(content, list):
        for inner in content:
            yield from _texts(inner)
