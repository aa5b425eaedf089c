"""The process that scores one file. What somebody has sent may crash it, and nothing else.

python -m monitor.uploads.child < task
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from gend.errors import GendError, PictureError
from gend.video import Video
from monitor.redact import redact
from monitor.uploads.task import UPLOAD, Said, Task

_SEARCH_CONFIDENCE = 0.5
_HEAD_BYTES = 4096
# Lists of other files and addresses: FFmpeg would go and read those.
_LISTS = (b"#EXTM3U", b"ffconcat", b"<MPD", b"<?xml", b"<smil", b"v=0")
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"mif1")
"""FFmpeg would take their first tile for a video."""
_MOST_WRITTEN_BYTES = 2_000_000_000
"""Of one file that is made here: the copy of a video."""
_NICENESS = 10
"""Of ten parts of a busy core it gets one: streams go first, and it comes to its end."""


def main() -> None:
    """Reads the task from standard input, and says on standard output what comes of it."""
    os.nice(_NICENESS)
    task = Task.model_validate_json(sys.stdin.read())
    path = Path(task.folder, UPLOAD)
    try:
        said = _score(task, path)
    except (GendError, OSError, MemoryError) as error:
        # The file's name here is ours, and means nothing to whoever sent it.
        line = next(iter(redact(str(error)).splitlines()), type(error).__name__)
        line = line.replace(f"{path}: ", "").replace(str(path), "the file").replace(f"{task.folder}/", "")
        said = Said(error=line)
    _say(said)


def _score(task: Task, path: Path) -> Said:
    wish, judge = task.wish, task.judge
    _refuse_lists(path)
    is_picture = _is_picture(path)
    if not is_picture:
        _refuse_heif(path)
        Video(path)  # what is none is refused before anything is loaded
    # Large libraries, which most of the time goes into.
    from gend.faces import load_detector  # noqa: PLC0415
    from gend.model import Detector  # noqa: PLC0415
    from monitor.uploads.looking import Looker  # noqa: PLC0415

    detector = Detector.load(
        judge.weights,
        engine=judge.engine,
        precision=judge.precision,
        device=judge.device,
        max_logit_drift=judge.max_logit_drift,
        threads=1 if judge.weights == "demo" else None,
        adapters=None if wish.adapter is None or task.adapter_file is None else {wish.adapter: task.adapter_file},
    )
    faces = load_detector(judge.face_detector, threshold=_SEARCH_CONFIDENCE, warn=lambda _: None)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_WRITTEN_BYTES, _MOST_WRITTEN_BYTES))
    looker = Looker(path.parent, wish, detector, faces)
    return looker.picture() if is_picture else looker.video(lambda done, due: _say(Said(done=done, due=due)))


def _refuse_lists(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if any(mark in head[:64] for mark in _LISTS) or b"#EXTM3U" in head or b"<MPD" in head:
        raise PictureError("neither a picture nor a video, but a list of others")


def _refuse_heif(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp" and head[8:] in _HEIF:
        raise PictureError("HEIF pictures are not supported; convert it to JPEG or PNG")


def _is_picture(path: Path) -> bool:
    try:
        with Image.open(path) as picture:
            return not getattr(picture, "is_animated", False)
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return False


def _say(said: Said) -> None:
    sys.stdout.write(said.model_dump_json(exclude_defaults=True) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
