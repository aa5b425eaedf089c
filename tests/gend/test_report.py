from __future__ import annotations

import json
from io import StringIO
from typing import Any

from rich.console import Console

from gend.report import json_object, table
from gend.tally import FaceScore, FileScore, Tally


def score(path: str, *p_fake: tuple[float, ...], fps: float = 25, details: bool = False) -> FileScore:
    """Of a video whose n-th face has the n-th of the given scores in each frame."""
    tally = Tally(details=details)
    for number, of_frame in enumerate(zip(*p_fake, strict=True)):
        tally.add(
            [
                FaceScore(number, number / fps, track, (1 / 3, 2, 3, 4), 0.9, 0.0, p)
                for track, p in enumerate(of_frame, 1)
            ]
        )
    return tally.score(path)


def as_read(scored: FileScore, *, details: bool, **more: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(json.dumps(json_object(scored, details=details, **more)))
    return answer


def printed(*scores: FileScore) -> str:
    out = StringIO()
    Console(file=out, width=100).print(table(scores))
    return out.getvalue()


def test_json_object() -> None:
    answer = as_read(score("a.mp4", (0.25, 0.5, 0.75), fps=30), details=False)
    assert answer == {
        "path": "a.mp4",
        "frames": 3,
        "faces": 3,
        "mean": 0.5,
        "median": 0.5,
        "tracks": [{"id": 1, "frames": 3, "mean": 0.5, "median": 0.5, "first_s": 0.0, "last_s": 0.067}],
        "left_out": 0,
    }


def test_json_object_details() -> None:
    answer = as_read(score("a.mp4", (0.25, 0.5), fps=30, details=True), details=True, annotated="copies/a.mp4")
    assert answer["annotated"] == "copies/a.mp4"
    first, second = answer["details"]
    assert second == {
        "frame": 1,
        "at_s": 0.033,
        "track": 1,
        "box": [0.3, 2, 3, 4],
        "confidence": 0.9,
        "logit": 0.0,
        "p_fake": 0.5,
    }
    assert first["frame"] == 0


def test_json_object_of_nobody() -> None:
    answer = as_read(Tally(details=False).score("a.png"), details=False)
    assert (answer["faces"], answer["mean"], answer["median"], answer["tracks"]) == (0, None, None, [])


def test_table() -> None:
    lines = printed(score("[one].mp4", (0.25, 0.5, 1.0)), score("two.mp4", *((0.1,) * 200, (0.9,) * 200), fps=0.05))
    one, two, first, second = [line.split() for line in lines.splitlines() if "mp4" in line or " face " in line]
    assert one == ["[one].mp4", "3", "3", "0.583", "0.500"]
    assert two == ["two.mp4", "200", "400", "0.500", "0.500"]
    assert first == ["face", "1", "0:00-1:06:20", "200", "0.100", "0.100"]
    assert second == ["face", "2", "0:00-1:06:20", "200", "0.900", "0.900"]
    assert "p(fake)" in lines


def test_table_of_nobody() -> None:
    nobody, too_small = Tally(details=False), Tally(details=False)
    nobody.add([])
    too_small.add([], left_out=1)
    lines = printed(nobody.score("a.png"), too_small.score("b.png")).splitlines()
    assert [line.split("  ")[-2].strip() for line in lines if ".png" in line]
    assert any("a.png" in line and "no face" in line for line in lines)
    assert any("b.png" in line and "none scored" in line for line in lines)


def test_table_of_a_crowd() -> None:
    lines = printed(score("street.mp4", *[(0.5,)] * 300))
    assert lines.count("  face ") == 20
    assert "280 more, seen less; --json has all" in lines
