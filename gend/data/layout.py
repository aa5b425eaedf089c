"""How a data set lies on disk: a small YAML file of patterns, labels and pairs. docs/data.md describes the format.

Those of known data sets are in `gend/data/layouts`; any other is a file of one's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from gend.data.path_patterns import Pattern, Template
from gend.data.source_videos import check_dataset, source_label
from gend.errors import ConfigError
from gend.experiments import Section, load_experiment

FOLDER = Path(__file__).parent / "layouts"
"""Of the layouts that come with the package."""
ALWAYS = frozenset({"file", "stem"})
"""Fields that every file has: its path under the root, and its name without suffix."""


def _pattern(text: str) -> str:
    Pattern(text)
    return text


def _template(text: str) -> str:
    Template(text)
    return text


PatternText = Annotated[str, AfterValidator(_pattern)]
TemplateText = Annotated[str, AfterValidator(_template)]
Value = str | int
Label = Literal["real", "fake"]


class Table(Section):
    """A table of the data set whose columns become fields of its videos."""

    file: TemplateText
    """Its path under the root."""
    row: TemplateText
    """The name of a video's row."""
    key: TemplateText | None = None
    """The name of each row, made of its columns; not needed for JSON whose keys are the names."""


class Splits(Section):
    """Lists of the data set that divide its videos."""

    lists: dict[str, str] = Field(min_length=1)
    """By split: a file under the root, JSON or text. A video belongs to it where its `split_key` stands in the file."""
    rest: str | None = None
    """The split of all others."""


class Source(Section):
    """Videos of one kind."""

    source: str
    """Folder of their crops."""
    label: Label
    files: PatternText
    """Their paths under the root."""
    where: dict[str, Value | list[Value]] = Field(default_factory=dict)
    """What the table must say of them."""
    video: TemplateText = "{stem}"
    """What each is called."""
    pair: TemplateText | None = None
    """`source/video` of the real one that each was made from."""
    mask: TemplateText | None = None
    """Path under the root of the video that shows where each was manipulated."""
    split_key: TemplateText = "{file}"
    """What lists of splits call it."""

    @model_validator(mode="after")
    def _agrees_with_its_name(self) -> Self:
        if "/" in self.source or not self.source or self.source.startswith("."):
            raise ValueError(f"source: {self.source!r} is not the name of a folder")
        if source_label(self.source) != (0 if self.label == "real" else 1):
            has = "has" if self.label == "fake" else "lacks"
            raise ValueError(f"label: {self.label}, but the source's name {has} `real`, by which crops are labelled")
        return self


class Layout(Section):
    """A whole data set."""

    about: str
    """What it is, in one line."""
    home: str | None = None
    """Where it can be had."""
    dataset: str
    """Folder of its crops."""
    table: Table | None = None
    splits: Splits | None = None
    sources: list[Source] = Field(min_length=1)
    """The first that fits a file takes it."""

    @model_validator(mode="after")
    def _asks_for_known_fields(self) -> Self:
        for number, source in enumerate(self.sources):
            known = Pattern(source.files).fields | ALWAYS
            for name, field in _asked(source, self.table, known):
                raise ValueError(f"{name.format(number)}: no field {{{field}}} in {source.files}")
            if source.where and self.table is None:
                raise ValueError(f"sources.{number}.where: there is no table")
        return self


def _asked(source: Source, table: Table | None, known: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Templates, by place, that ask for a field the pattern does not give and no table can."""
    templates = {}
    if table is not None:
        templates = {"table.file": table.file, "table.row": table.row}
    else:
        own = {"video": source.video, "pair": source.pair, "mask": source.mask, "split_key": source.split_key}
        templates = {f"sources.{{}}.{name}": text for name, text in own.items() if text is not None}
    for name, text in templates.items():
        for field in sorted(Template(text).fields - known):
            yield name, field


def load_layout(name: str) -> Layout:
    """A layout of the package by its name, or any other by its file.

    Raises:
        ConfigError: there is none, or it is not one. One line per fault, with file and field.
    """
    path = layout_path(name)
    layout = load_experiment(path, Layout)
    try:
        check_dataset(layout.dataset)
    except ConfigError as error:
        raise ConfigError(f"{path}: dataset: {error}") from error
    return layout


def layout_names() -> list[str]:
    """Of the layouts that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def layout_path(name: str) -> Path:
    """The file of a layout.

    Raises:
        ConfigError: there is none.
    """
    if name in layout_names():
        return FOLDER / f"{name}.yaml"
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"}:
        known = ", ".join(layout_names())
        raise ConfigError(f"{name}: no such layout; there are {known}, or the name of a YAML file")
    return path
