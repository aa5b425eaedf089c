from __future__ import annotations

import pytest

from gend.data.path_patterns import MissingFieldError, Pattern, Template


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("a/{target}_{origin}.mp4", "a/071_054.mp4", {"target": "071", "origin": "054"}),
        ("a/{target}_{origin}.mp4", "a/b/071_054.mp4", None),
        ("{a}_{b}_{c}.mp4", "id0_id1_0000.mp4", {"a": "id0", "b": "id1", "c": "0000"}),
        ("{clip}_{made}.mp4", "00109_10_id00476_x.mp4", {"clip": "00109", "made": "10_id00476_x"}),
        ("{part:path}{name}.mp4", "x.mp4", {"part": "", "name": "x"}),
        ("{part:path}{name}.mp4", "p/q/x.mp4", {"part": "p/q/", "name": "x"}),
        ("{kind=swap}/{name}.mp4", "swap/x.mp4", {"kind": "swap", "name": "x"}),
        ("{kind=swap}/{name}.mp4", "other/x.mp4", None),
        ("{id}/{id}.mp4", "3/3.mp4", {"id": "3"}),
        ("{id}/{id}.mp4", "3/4.mp4", None),
        ("*/{name}.mp4", "any/x.mp4", {"name": "x"}),
        ("c++ (1)/{name}.mp4", "c++ (1)/x.mp4", {"name": "x"}),
    ],
)
def test_pattern(pattern: str, path: str, expected: dict[str, str] | None) -> None:
    assert Pattern(pattern).match(path) == expected


def test_template() -> None:
    template = Template("real/{folder}_{original|stem}")
    assert template.fields == {"folder", "original"}
    assert template.fill({"folder": "p0", "original": "abc.mp4"}) == "real/p0_abc"
    with pytest.raises(MissingFieldError, match="original"):
        template.fill({"folder": "p0"})


@pytest.mark.parametrize("text", ["{", "a}", "{a b}", "{}", "{{a}}", "{a:b}"])
def test_what_is_no_field_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected fields such as"):
        Pattern(text)
    with pytest.raises(ValueError, match="expected fields such as"):
        Template(text)


def test_patterns_and_templates_differ() -> None:
    with pytest.raises(ValueError, match="is for templates"):
        Pattern("{a|stem}")
    with pytest.raises(ValueError, match="are for patterns"):
        Template("{a:path}")
