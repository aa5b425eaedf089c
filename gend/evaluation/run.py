"""A whole evaluation: sets, detectors, scores, figures; then tables, plots and the report."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from gend.errors import GendError
from gend.evaluation.caveats import caveats
from gend.evaluation.config import Evaluation, GendDetector
from gend.evaluation.corruptions import Corruption
from gend.evaluation.crop_sets import CropSet, check_sets, find_sets
from gend.evaluation.detectors import Scorer
from gend.evaluation.detectors.load import check_detectors, load_scorer
from gend.evaluation.learnt import learnt_from
from gend.evaluation.measuring import rows_of
from gend.evaluation.results import SCORES, JudgedBy, JudgedSet, Results
from gend.evaluation.robustness import RobustnessRow, corruptions, robustness_rows
from gend.evaluation.score_files import Scores, detector_folder, read_identity, read_scores
from gend.evaluation.scoring import SetScoring, Unreadable
from gend.evaluation.under_way import UnderWay

_LIBRARIES = {
    "gend-monitor": "gend",
    "numpy": "numpy",
    "torch": "torch",
    "openvino": "openvino",
    "onnxruntime": "onnxruntime",
    "transformers": "transformers",
    "opencv-python-headless": "cv2",
    "av": "av",
}
"""Packages by what they are imported as."""
_DRAWN = "crops"


@dataclass(slots=True)
class DetectorScores:
    """What one detector says."""

    by: JudgedBy
    sets: dict[str, Scores] = field(default_factory=dict)
    worse: dict[Corruption | None, dict[str, Scores]] = field(default_factory=dict)
    """Of some videos of each set, under each corruption; None: as they are."""


def evaluate(config: Evaluation, out: Path, under_way: UnderWay) -> tuple[Results, Mapping[str, DetectorScores]]:
    """Scores what has not been scored, and measures.

    Args:
        config: what to do.
        out: the folder of the evaluation, which exists.
        under_way: shows progress.

    Raises:
        GendError: anything that is wrong with sets, detectors or files; scores so far are kept.
    """
    unreadable: dict[str, Unreadable] = {}
    unchecked = list(config.detectors)
    if config.scores is None:
        run = _Run(config, out, under_way)
        judged, unreadable, unchecked = run.judged(), run.unreadable, run.unchecked
    else:
        judged = {name: _read(name, config, config.scores) for name in config.detectors}
    by = [each.by for each in judged.values()]
    first = next(iter(judged.values()))
    sets = [_set_facts(name, first.sets[name], config) for name in config.sets]
    _same_crops(judged)
    with under_way("figures") as told:
        rows = rows_of({name: each.sets for name, each in judged.items()}, config.seed)
        robustness: list[RobustnessRow] = []
        for number, (name, each) in enumerate(judged.items(), 1):
            if each.worse:
                robustness += robustness_rows(name, each.worse, config.seed)
            told(number, len(judged))
    results = Results(
        about=config.about,
        detectors=by,
        sets=sets,
        rows=rows,
        robustness=robustness,
        caveats=caveats(by, sets, rows, unreadable=len(unreadable), unchecked=unchecked),
        configuration=config.model_dump(mode="json"),
        versions=_versions(),
        unreadable=list(unreadable.values()),
    )
    return results, judged


def parts(config: Evaluation) -> int:
    """How many times `evaluate` calls `under_way`."""
    drawn = sum(section.generate is not None for section in config.sets.values())
    if config.scores is not None:
        return 1
    worse = 0 if config.robustness is None else len(corruptions(config.robustness))
    return 1 + drawn + len(config.detectors) * len(config.sets) * (1 + worse)


class _Run:
    """Scores all sets with all detectors, one of which is in memory at a time."""

    def __init__(self, config: Evaluation, out: Path, under_way: UnderWay) -> None:
        self._config = config
        self._out = out
        self._under_way = under_way
        check_detectors(config.detectors)
        self._sets = find_sets(config, out / _DRAWN, under_way)
        self.unreadable: dict[str, Unreadable] = {}
        self.unchecked = self._unchecked()

    def judged(self) -> dict[str, DetectorScores]:
        return {name: self._judged(name, load_scorer(section)) for name, section in self._config.detectors.items()}

    def _unchecked(self) -> list[str]:
        """Refuses sets that detectors say they have learnt from; the detectors of which that cannot be told."""
        unchecked = []
        for name, section in self._config.detectors.items():
            learnt = learnt_from(section) if isinstance(section, GendDetector) else []
            check_sets(self._sets, learnt)
            if not learnt:
                unchecked.append(name)
        return [] if self._config.trained_on else unchecked

    def _judged(self, name: str, scorer: Scorer) -> DetectorScores:
        config, folder = self._config, self._out / SCORES / name
        detector_folder(folder, scorer.identity)
        scoring = SetScoring(name, scorer, batch=config.batch, skip_unreadable=config.skip_unreadable)
        judged = DetectorScores(JudgedBy(name, scorer.identity))
        for each in self._sets:
            with self._under_way(f"{name}: {each.name}") as told:
                judged.sets[each.name], left_out = scoring.score(each, folder / f"{each.name}.csv", told)
            self.unreadable |= {missed.path: missed for missed in left_out}
        if config.robustness is not None:
            few = [each.some(config.robustness.videos, config.robustness.frames_per_video) for each in self._sets]
            for worse in corruptions(config.robustness):
                judged.worse[worse] = {each.name: self._worse(scoring, each, worse, name, folder) for each in few}
        return _with_clean(judged)

    def _worse(self, scoring: SetScoring, few: CropSet, worse: Corruption, name: str, folder: Path) -> Scores:
        with self._under_way(f"{name}: {few.name}, {worse.name}") as told:
            scores, _ = scoring.score(few, folder / f"{few.name}@{worse.name}.csv", told, worse)
        return scores


def _read(name: str, config: Evaluation, folder: Path) -> DetectorScores:
    """Scores of an earlier run."""
    own = folder / name
    judged = DetectorScores(JudgedBy(name, read_identity(own)))
    judged.sets = {each: _nonempty(own / f"{each}.csv") for each in config.sets}
    if config.robustness is not None:
        for corruption in corruptions(config.robustness):
            judged.worse[corruption] = {each: _nonempty(own / f"{each}@{corruption.name}.csv") for each in config.sets}
    return _with_clean(judged)


def _nonempty(path: Path) -> Scores:
    scores = Scores(read_scores(path))
    if not scores.crops:
        raise GendError(f"{path}: no scores in it")
    return scores


def _with_clean(judged: DetectorScores) -> DetectorScores:
    """Beside the scores of worse pictures, those of the same pictures as they are."""
    if judged.worse:
        some = next(iter(judged.worse.values()))
        paths = {name: {crop.path for crop in scores.crops} for name, scores in some.items()}
        clean = {
            name: Scores([crop for crop in judged.sets[name].crops if crop.path in wanted])
            for name, wanted in paths.items()
        }
        judged.worse = {None: clean, **judged.worse}
    return judged


def _same_crops(judged: Mapping[str, DetectorScores]) -> None:
    """Two detectors in one table have seen the same; scores of different runs may not have."""
    [first, *others] = judged.values()
    for other in others:
        for name, scores in other.sets.items():
            if scores.sha256 != first.sets[name].sha256:
                raise GendError(f"{name}: {first.by.name} and {other.by.name} judged different crops")


def _set_facts(name: str, scores: Scores, config: Evaluation) -> JudgedSet:
    section = config.sets[name]
    videos = {crop.video: crop for crop in scores.crops}
    fakes = [crop for crop in videos.values() if crop.label]
    return JudgedSet(
        name=name,
        about=section.about,
        crops=len(scores.crops),
        real=len(videos) - len(fakes),
        fake=len(fakes),
        paired=any(crop.group != crop.video for crop in fakes),
        made_of=None if section.generate is None else section.generate.sources,
        selected_on=section.selected_on,
        sha256=scores.sha256,
    )


def _versions() -> dict[str, str]:
    """Of what took part."""
    known = {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    for name, module in _LIBRARIES.items():
        if module in sys.modules:
            try:
                known[name] = version(name)
            except PackageNotFoundError:
                known[name] = "unknown"
    return known
