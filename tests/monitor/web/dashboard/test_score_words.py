"""What is said of a file against a threshold."""

from __future__ import annotations

from typing import Any

from monitor.web.dashboard.score_words import FramesAbove, Judgement, judgement


def a_result(*tracks: list[float], left_out: int = 0) -> dict[str, Any]:
    return {
        "tracks": [
            {"id": number, "frames": len(values), "mean": sum(values) / len(values)}
            for number, values in enumerate(tracks, start=1)
        ],
        "left_out": left_out,
        "details": [
            {"track": number, "p_fake": value} for number, values in enumerate(tracks, start=1) for value in values
        ],
    }


def judged(result: dict[str, Any], threshold: float = 0.5) -> Judgement:
    return judgement(result, FramesAbove(result), threshold)


def test_one_face_is_held_against_the_threshold() -> None:
    result = a_result([0.75, 0.75])
    assert judged(result).title == "Looks manipulated"
    assert judged(result, 0.75).because == "Mean p(fake) 0.75, at or above the threshold 0.75."
    assert judged(result, 0.76).title == "No sign of manipulation"


def test_faces_that_look_manipulated_are_named() -> None:
    said = judged(a_result([0.9], [0.1], [0.6]))
    assert said == Judgement(
        "fake",
        "2 of 3 faces look manipulated",
        "Mean p(fake) at or above the threshold 0.50: face 1 (0.90), face 3 (0.60).",
    )
    assert judged(a_result([0.4], [0.1])).because == (
        "All 2 faces are below the threshold 0.50; the highest mean is 0.40."
    )


def test_a_manipulation_that_comes_late_is_not_hidden_by_the_mean() -> None:
    late = a_result([0.0] * 8 + [1.0] * 2, [0.1] * 10)
    assert judged(late) == Judgement(
        "suspect",
        "Some frames look manipulated",
        "Face 1 is at or above the threshold 0.50 in 2 of 10 frames; its mean is 0.20.",
    )
    assert judged(a_result([0.0] * 19 + [1.0])).tone == "clear", "one frame alone is no sign"


def test_no_face_is_no_verdict() -> None:
    assert judged(a_result()).title == "No face could be judged"
    assert judged(a_result(left_out=1)).because == "1 face was too small or turned too far away."
    assert judged(a_result(left_out=3)).because == "3 faces were too small or turned too far away."
