"""From videos and pictures to a tree of aligned crops, its manifest, and lists of it; in parallel, and resumable.

    OUT/<dataset>/<source>/<video>/<frame>.png
    OUT/manifest.jsonl                 where each crop came from
    OUT/lists/<dataset>.txt            all crops; <dataset>.<split>.txt those of a split
    OUT/skipped/<dataset>.csv          what was skipped, and why
    OUT/.prepare                       what is done, and what is being worked on

A video's crops are written beside the tree and moved into it in one step; then the journal names it. Whenever that is
stopped, the same call goes on where it was and ends with the same files.

    >>> prepared = prepare(Path("footage"), Path("crops"), Request(cut=Cut(size=256)))
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gend.data.crop_tree import STATE, check_out, locked, move, remove, workplace
from gend.data.extract import CannotWriteError, Cut, Extracted, extract, fingerprint
from gend.data.folder_tree import plan_folder
from gend.data.journal import Done, Journal
from gend.data.layout import Layout, load_layout
from gend.data.layout_plan import plan_layout
from gend.data.outputs import Prepared, write_outputs
from gend.data.source_videos import Plan, Problem, Severity, SourceVideo, arranged, check_dataset
from gend.data.workers import Follower, Told, work_here, work_in_processes
from gend.errors import ConfigError, GendError, PictureError
from gend.faces import FaceDetector, load_detector

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for. On a folder that is done in part, it must be what was asked for before."""

    layout: str | None = None
    """Name of a layout of the package, or its file; None for folders as `gend.data.folder_tree` reads them."""
    dataset: str | None = None
    """By default what the layout says, else the name of the folder."""
    alone: bool = False
    """Without a layout: every picture is a video of one frame, in whatever folder."""
    detector: str = "auto"
    threshold: float = 0.5
    """Least confidence of a face."""
    cut: Cut = field(default_factory=Cut)


class Watcher:
    """Is told what goes on; this one does not care."""

    def planned(self, done: int, todo: int) -> None:
        """How many videos were done before, and how many are to do."""

    def began(self, video: SourceVideo) -> None:
        """A video is worked on."""

    def advanced(self, video: SourceVideo, done: int, total: int) -> None:
        """So many of its frames are done."""

    def ended(self, video: SourceVideo, extracted: Extracted | None) -> None:
        """It is done; None where it failed."""

    def problem(self, problem: Problem) -> None:
        """Something was found that is not about a single frame."""

    def warning(self, line: str) -> None:
        """What the face detector has to say."""


@dataclass(frozen=True, slots=True)
class Task:
    """One video, and the folder that its crops are written to before they are moved."""

    video: SourceVideo
    folder: Path


Ended = Generator[tuple[Task, Extracted | GendError]]
"""Tasks, with what came of them."""


@dataclass(frozen=True, slots=True)
class CropCutter:
    """Cuts videos, in whatever process."""

    src: Path
    detector: str
    threshold: float
    cut: Cut

    def ready(self) -> Callable[[Task, Told], Extracted]:
        """Loads the face detector."""
        return self.using(load_detector(self.detector, threshold=self.threshold, warn=lambda _line: None))

    def using(self, detector: FaceDetector) -> Callable[[Task, Told], Extracted]:
        """With a face detector that is loaded already."""
        return lambda task, told: extract(task.video, self.src, task.folder, detector, self.cut, told=told)


def prepare(
    src: Path, out: Path, request: Request | None = None, *, workers: int = 0, watcher: Watcher | None = None
) -> Prepared:
    """Prepares a data set.

    Args:
        src: a folder of videos and pictures, or one of them.
        out: root of the tree of crops: new, empty, or one that was prepared before, with other data sets or with part
            of this one.
        request: what is asked for.
        workers: processes that work at once; 0 for this one alone. A script that wants some has to be guarded by
            `if __name__ == "__main__":`.
        watcher: told what goes on.

    Raises:
        ConfigError: the request cannot be carried out, or is another than before on the same data set.
        PictureError: there is nothing to prepare.
        FetchError: the face detector cannot be had.
        CannotWriteError: the disk is full, or nothing can be written there. Called again, it goes on.
    """
    request = request or Request()
    watcher = watcher or Watcher()
    root = src if src.is_dir() else src.parent
    layout = None if request.layout is None else load_layout(request.layout)
    if layout is not None and src.is_file():
        raise ConfigError(f"{src}: a layout is of a folder")
    default = root.resolve().name if layout is None else layout.dataset
    dataset = check_dataset(default if request.dataset is None else request.dataset)
    check_out(root, out)
    plan = _plan(src, out, layout, dataset, alone=request.alone)
    detector = load_detector(request.detector, threshold=request.threshold, warn=watcher.warning)
    name = detector.name if request.detector == "auto" else request.detector
    cutter = CropCutter(root, name, request.threshold, request.cut)

    def work(tasks: Sequence[Task], follower: Follower[Task]) -> Ended:
        if workers:
            return work_in_processes(cutter, tasks, workers, follower)
        return work_here(cutter.using(detector), tasks, follower)

    with locked(out):
        journal = Journal(out / STATE / f"{dataset}.jsonl", _settings(src, request, layout, name))
        return _Preparation(root, out, dataset, journal, watcher).run(plan, work)


class _Preparation:
    """One run, on a tree that nobody else writes to."""

    def __init__(self, root: Path, out: Path, dataset: str, journal: Journal, watcher: Watcher) -> None:
        self._root = root
        self._out = out
        self._dataset = dataset
        self._journal = journal
        self._watcher = watcher
        self._problems: list[Problem] = []

    def run(self, plan: Plan, work: Callable[[Sequence[Task], Follower[Task]], Ended]) -> Prepared:
        """Has cut what is not cut yet, and writes the rest."""
        todo = self._begin(plan)
        self._watcher.planned(len(self._journal.done), len(todo))
        with closing(self._journal), workplace(self._out) as folder:
            tasks = [Task(video, folder / str(number)) for number, video in enumerate(todo)]
            with closing(work(tasks, self)) as ended:
                for task, outcome in ended:
                    self._end(task, outcome)
        prepared = write_outputs(self._out, self._dataset, list(self._journal.done.values()), self._problems)
        told = set(self._problems)
        for problem in prepared.problems:
            if problem.severity == Severity.NOTICE and problem not in told:
                self._watcher.problem(problem)
        return prepared

    def began(self, task: Task) -> None:
        """As `Follower.began`."""
        self._watcher.began(task.video)

    def advanced(self, task: Task, done: int, total: int) -> None:
        """As `Follower.advanced`."""
        self._watcher.advanced(task.video, done, total)

    def _begin(self, plan: Plan) -> list[SourceVideo]:
        """Goes on from what was done before; what is to do."""
        same, gone = self._compare({video.key: video for video in plan.videos})
        plan = arranged(plan.videos, plan.problems, before=gone)
        for key in self._journal.done.keys() - {video.key for video in (*same, *gone)}:
            remove(self._out / key)
        self._journal.begin([*same, *gone])
        todo = [video for video in plan.videos if video.key not in self._journal.done]
        for video in todo:
            remove(self._out / video.key)  # moved there, but the journal was not told any more
        if gone:
            detail = f"with its crops, as all of {len(gone)} videos whose files are gone"
            self._tell(Problem(Severity.NOTICE, "kept", gone[0].files[0], detail=detail))
        for problem in plan.problems:
            self._tell(problem)
        for done in self._journal.done.values():
            self._tell_errors(done.extracted)
        return todo

    def _compare(self, planned: Mapping[str, SourceVideo]) -> tuple[list[SourceVideo], list[SourceVideo]]:
        """What was done and would be done the same again, as it is planned now; and what has no files any more."""
        same, gone = [], []
        for key, done in self._journal.done.items():
            if not self._is_there(done):
                continue
            video = planned.get(key)
            if video is not None and self._is_same(video, done):
                same.append(video)
            elif not any((self._root / file).exists() for file in done.video.files):
                gone.append(done.video)
        return same, gone

    def _is_same(self, video: SourceVideo, done: Done) -> bool:
        """Whether it would be cut from the same files."""
        if (video.files, video.masks) != (done.video.files, done.video.masks):
            return False
        try:
            return fingerprint(self._root, video) == done.extracted.fingerprint
        except PictureError:  # told when it is cut
            return False

    def _is_there(self, done: Done) -> bool:
        crops = {Path(record.crop).name for record in done.extracted.records}
        folder = self._out / done.video.key
        return not crops or (folder.is_dir() and crops <= {path.name for path in folder.iterdir()})

    def _end(self, task: Task, outcome: Extracted | GendError) -> None:
        if isinstance(outcome, CannotWriteError):
            raise self._explained(outcome)
        if isinstance(outcome, GendError):
            file = task.video.files[0]
            detail = str(outcome).removeprefix(f"{self._root / file}: ")
            self._tell(Problem(Severity.ERROR, "cannot be prepared", file, detail=detail))
            self._watcher.ended(task.video, None)
            return
        try:
            if outcome.records:
                move(task.folder, self._out / task.video.key)
            self._journal.add(Done(task.video, outcome))
        except CannotWriteError as error:
            raise self._explained(error) from error
        self._tell_errors(outcome)
        self._watcher.ended(task.video, outcome)

    def _explained(self, error: CannotWriteError) -> CannotWriteError:
        done = len(self._journal.done)
        return CannotWriteError(f"{error}; videos done so far: {done}; the same command goes on from there")

    def _tell_errors(self, extracted: Extracted) -> None:
        for problem in extracted.problems:
            if problem.severity == Severity.ERROR:
                self._watcher.problem(problem)

    def _tell(self, problem: Problem) -> None:
        self._problems.append(problem)
        self._watcher.problem(problem)


def _plan(src: Path, out: Path, layout: Layout | None, dataset: str, *, alone: bool) -> Plan:
    if layout is None:
        return plan_folder(src, dataset, but=out.resolve(), alone=alone)
    if alone:
        raise ConfigError("alone: a layout says by itself what a video is")
    return plan_layout(src, layout, dataset, but=out.resolve())


def _settings(src: Path, request: Request, layout: Layout | None, detector: str) -> dict[str, Any]:
    """What must stay the same while a data set is not done: all that changes its crops, or which there are."""
    cut = request.cut
    by_stride = cut.frames.mode == "fixed_stride"
    return {
        "format": _FORMAT,
        "SRC": str(src.resolve()),
        "layout": None if layout is None else layout.model_dump(mode="json"),
        "alone": request.alone,
        "detector": detector,
        "threshold": request.threshold,
        "mode": cut.frames.mode,
        **({"stride": cut.frames.stride} if by_stride else {"frames": cut.frames.frames}),
        "min-face-px": cut.min_face_px,
        "scale": cut.scale,
        "size": "native" if cut.size is None else cut.size,
        "masks": cut.masks,
    }
