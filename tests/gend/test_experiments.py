from __future__ import annotations

from pathlib import Path

import pytest

from gend.errors import ConfigError
from gend.experiments import Section, load_experiment


class Losses(Section):
    uniformity: float = 0
    alignment: float = 0


class Recipe(Section):
    rate: float
    losses: Losses = Losses()
    lists: tuple[str, ...] = ()


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(text)
    return path


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    write(tmp_path / "bases/plain.yaml", "rate: 3e-4\nlosses: {alignment: 0.1}\nlists: [a, b]\n")
    write(tmp_path / "bases/losses.yaml", "losses: {uniformity: 0.5}\n")
    return write(tmp_path / "own.yaml", "extends: [bases/plain.yaml, bases/losses.yaml]\nlists: [c]\n")


def test_sections_are_merged_and_lists_replaced(recipe: Path) -> None:
    assert load_experiment(recipe, Recipe) == Recipe(
        rate=3e-4, losses=Losses(uniformity=0.5, alignment=0.1), lists=("c",)
    )


def test_words_of_the_command_line_change_single_settings(recipe: Path) -> None:
    changed = load_experiment(recipe, Recipe, ["rate=1", "losses.alignment=2e-1", "lists=[x, y]"])
    assert (changed.rate, changed.losses.alignment, changed.losses.uniformity) == (1, 0.2, 0.5)
    assert changed.lists == ("x", "y")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (["losses.uniformity=much"], "losses.uniformity=much: losses.uniformity: "),
        (["colour=red"], "colour=red: colour: unknown key"),
        (["rate"], "rate: expected section.key=value"),
        (["rate.x=1"], "rate.x=1: rate is no section"),
        (["rate=[1"], "rate=[1:1: not YAML"),
    ],
)
def test_a_fault_names_the_word_that_said_it(recipe: Path, changes: list[str], line: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_experiment(recipe, Recipe, changes)
    assert str(raised.value).startswith(line)


def test_a_fault_names_the_file_of_the_chain_that_said_it(recipe: Path, tmp_path: Path) -> None:
    write(tmp_path / "bases/losses.yaml", "losses: {uniformity: a lot, beauty: 1}\n")
    with pytest.raises(ConfigError) as raised:
        load_experiment(recipe, Recipe)
    lines = str(raised.value).splitlines()
    assert [line.partition(": ")[0] for line in lines] == [str(tmp_path / "bases/losses.yaml")] * 2
    assert [line.split(": ")[1] for line in lines] == ["losses.uniformity", "losses.beauty"]


def test_files_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "extends: b.yaml\n")
    write(tmp_path / "b.yaml", "extends: a.yaml\n")
    with pytest.raises(ConfigError, match=r"a\.yaml: extends itself, by way of b\.yaml"):
        load_experiment(tmp_path / "a.yaml", Recipe)


def test_a_missing_base_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot read"):
        load_experiment(write(tmp_path / "a.yaml", "extends: none.yaml\n"), Recipe)
