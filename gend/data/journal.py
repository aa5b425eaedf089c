"""What of a data set is done: a file that grows by a line with each video, so that work goes on where it was.

`OUT/.prepare/<dataset>.jsonl` begins with the settings; with others, nothing goes on. A video is written to a line once
its crops are in their place: whatever happens in between, it is done again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from gend.data.extract import CannotWriteError, Extracted
from gend.data.manifest import CropRecord
from gend.data.source_videos import Problem, Severity, SourceVideo
from gend.errors import ConfigError, PictureError

Settings = Mapping[str, Any]
"""Of JSON's types."""


@dataclass(frozen=True, slots=True)
class Done:
    """A video, and what came of it."""

    video: SourceVideo
    extracted: Extracted


class Journal:
    """The file, read and open to be written to. A context manager.

    Args:
        path: the file; made where there is none.
        settings: of this run.

    Raises:
        ConfigError: it was begun with other settings.
        PictureError: it is damaged.
        CannotWriteError: it cannot be written.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self._path = path
        self._settings = settings
        self._file: IO[str] | None = None
        lines = _whole_lines(path)
        if lines:
            _check(path, _parsed(path, 1, lines[0]), settings)
        done = [_done(path, number, line) for number, line in enumerate(lines[1:], 2)]
        self.done = {each.video.key: each for each in done}
        """By key."""

    def begin(self, keep: Iterable[SourceVideo]) -> None:
        """Opens the file for more, with nothing in it but the settings and these videos, as they are known now.

        Raises:
            CannotWriteError: it cannot be written.
        """
        self.done = {video.key: Done(video, self.done[video.key].extracted) for video in keep}
        unfinished = self._path.with_suffix(".unfinished")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with unfinished.open("w", encoding="utf-8", newline="\n") as file:
                file.write(json.dumps(self._settings, ensure_ascii=False) + "\n")
                file.writelines(_line(done) for done in self.done.values())
            unfinished.replace(self._path)
            self._file = self._path.open("a", encoding="utf-8", newline="\n")
        except OSError as error:
            raise CannotWriteError(f"{self._path}: cannot be written ({error.strerror})") from error

    def add(self, done: Done) -> None:
        """One more.

        Raises:
            CannotWriteError: it cannot be written.
        """
        assert self._file is not None, "begun"
        try:
            self._file.write(_line(done))
            self._file.flush()
        except OSError as error:
            raise CannotWriteError(f"{self._path}: cannot be written ({error.strerror})") from error
        self.done[done.video.key] = done

    def close(self) -> None:
        """Ends it."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:  # what a full disk did not take before
                raise CannotWriteError(f"{self._path}: cannot be written ({error.strerror})") from error


def _whole_lines(path: Path) -> list[str]:
    """Without the last, if whoever wrote it was stopped in between."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise PictureError(f"{path}: cannot read ({getattr(error, 'strerror', None) or error})") from error
    return text.split("\n")[:-1]


def _parsed(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise PictureError(f"{path}:{number}: damaged ({error}); begin anew in another folder") from error


def _check(path: Path, before: Any, now: Settings) -> None:
    if not isinstance(before, dict):
        raise PictureError(f"{path}:1: damaged; begin anew in another folder")
    other = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if other:
        told = ", ".join(_difference(name, before.get(name), now.get(name)) for name in other)
        raise ConfigError(
            f"{path.parent.parent}: its data set {path.stem} was begun with {told}; go on with the same arguments, or "
            "begin another --dataset or another folder"
        )


def _difference(name: str, before: Any, now: Any) -> str:
    if isinstance(before, dict) or isinstance(now, dict):
        return f"another {name}"
    return f"no {name}" if before is None else f"{name} {before}" + ("" if now is None else f", not {now}")


def _line(done: Done) -> str:
    return json.dumps({"video": asdict(done.video), **asdict(done.extracted)}, ensure_ascii=False) + "\n"


def _done(path: Path, number: int, line: str) -> Done:
    content = _parsed(path, number, line)
    try:
        video = content.pop("video")
        return Done(
            SourceVideo(**{**video, "files": tuple(video["files"]), "masks": tuple(video["masks"])}),
            Extracted(
                looked_at=content["looked_at"],
                records=tuple(_record(record) for record in content["records"]),
                problems=tuple(
                    Problem(**{**each, "severity": Severity(each["severity"])}) for each in content["problems"]
                ),
                fingerprint=content["fingerprint"],
            ),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise PictureError(f"{path}:{number}: damaged ({error!r}); begin anew in another folder") from error


def _record(content: dict[str, Any]) -> CropRecord:
    x0, y0, x1, y1 = content["box"]
    landmarks = tuple((x, y) for x, y in content["landmarks"])
    return CropRecord(**{**content, "box": (x0, y0, x1, y1), "landmarks": landmarks})
