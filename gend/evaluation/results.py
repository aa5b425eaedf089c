"""What came out of an evaluation, as it is written for programs: one JSON object, and rows as CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gend.data.pair_sources import SourceKind
from gend.errors import GendError
from gend.evaluation.detectors import Identity
from gend.evaluation.measuring import Row
from gend.evaluation.robustness import RobustnessRow
from gend.evaluation.scoring import Unreadable
from gend.metrics import NAMES
from gend.whole_files import written_whole

RESULTS, FIGURES, ROBUSTNESS, REPORT, SCORES, PLOTS = (
    "results.json",
    "figures.csv",
    "robustness.csv",
    "report.html",
    "scores",
    "plots",
)
"""What lies in the folder of an evaluation."""
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class JudgedSet:
    """A set, as it was judged."""

    name: str
    about: str
    crops: int
    real: int
    """Videos."""
    fake: int
    paired: bool
    """Whether it is known which real video a manipulated one was made from."""
    made_of: SourceKind | None
    """Where the real pictures of its pairs come from, where this project made them."""
    selected_on: bool
    sha256: str
    """Of the paths and contents of its crops."""


@dataclass(frozen=True, slots=True)
class JudgedBy:
    """A detector, as it judged."""

    name: str
    identity: Identity


@dataclass(frozen=True, slots=True)
class Results:
    """All of it."""

    about: str
    detectors: Sequence[JudgedBy]
    sets: Sequence[JudgedSet]
    rows: Sequence[Row]
    robustness: Sequence[RobustnessRow]
    caveats: Sequence[str]
    configuration: Mapping[str, Any]
    versions: Mapping[str, str]
    unreadable: Sequence[Unreadable] = field(default=())

    def json_object(self) -> dict[str, Any]:
        """For `json.dumps`; figures are rounded to 6 digits."""
        return {
            "schema": 1,
            "about": self.about,
            "detectors": [asdict(each) for each in self.detectors],
            "sets": [asdict(each) for each in self.sets],
            "figures": [_flat(row) for row in self.rows],
            "robustness": [_flat_robustness(row) for row in self.robustness],
            "caveats": list(self.caveats),
            "unreadable": [asdict(each) for each in self.unreadable],
            "configuration": dict(self.configuration),
            "versions": dict(self.versions),
        }


def write_results(results: Results, out: Path) -> None:
    """Writes the JSON object and the tables into the folder of the evaluation.

    Raises:
        GendError: they cannot be written.
    """
    write_text(out / RESULTS, json.dumps(results.json_object(), indent=2) + "\n")
    _write_rows(out / FIGURES, [_flat(row) for row in results.rows])
    if results.robustness:
        _write_rows(out / ROBUSTNESS, [_flat_robustness(row) for row in results.robustness])


def write_text(path: Path, text: str) -> None:
    """Writes a file, whole or not at all.

    Raises:
        GendError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    except OSError as error:
        raise GendError(f"{path}: cannot be written ({error.strerror})") from error


def _write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    try:
        with written_whole(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise GendError(f"{path}: cannot be written ({error.strerror})") from error


def _flat(row: Row) -> dict[str, Any]:
    place = {name: getattr(row, name) for name in ("detector", "set", "source", "level", "pooling", "real", "fake")}
    return place | _figures(row) | _difference(row, "auroc_less_first_detectors")


def _flat_robustness(row: RobustnessRow) -> dict[str, Any]:
    done = row.corruption
    place: dict[str, Any] = {
        "detector": row.detector,
        "corruption": None if done is None else done.kind,
        "severity": None if done is None else done.severity,
        "filter": None if done is None else done.filter,
        "real": row.real,
        "fake": row.fake,
    }
    return place | _figures(row) | _difference(row, "auroc_less_uncorrupted")


def _figures(row: Row | RobustnessRow) -> dict[str, float | None]:
    flat: dict[str, float | None] = {}
    for name in NAMES:
        low, high = row.spans.get(name, (None, None))
        value = None if row.figures is None else getattr(row.figures, name)
        flat |= _rounded(((name, value), (f"{name}_low", low), (f"{name}_high", high)))
    return flat


def _difference(row: Row | RobustnessRow, name: str) -> dict[str, float | None]:
    found = row.difference
    if found is None:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"))
    return _rounded(((name, found.value), (f"{name}_low", found.low), (f"{name}_high", found.high)))


def _rounded(values: Iterable[tuple[str, float | None]]) -> dict[str, float | None]:
    return {name: None if value is None else round(value, _DIGITS) for name, value in values}
