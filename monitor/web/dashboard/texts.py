"""Elements of plain HTML that hold text. Whatever the text is, it is shown as it stands, and never read as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from monitor import payloads


def text(tag: str, said: str = "", classes: str = "") -> TextElement:
    """An element with text in it."""
    element = TextElement(tag=tag, text=said)
    return element.classes(classes) if classes else element


def part(tag: str, classes: str = "", **attributes: str) -> ui.element:
    """An element to put others in; attributes may hold anything, and begin with `_` where Python has the word."""
    element = ui.element(tag)
    for name, value in attributes.items():
        element.props[name.strip("_").replace("_", "-")] = value
    return element.classes(classes) if classes else element


def link(said: str, to: str, classes: str = "", *, saved: bool = False) -> TextElement:
    """A way to another page, or to a file that is saved."""
    element = text("a", said, classes)
    element.props["href"] = to
    if saved:
        element.props["download"] = ""
    return element


def moment(at: datetime) -> TextElement:
    """A moment: `times.js` shows it as the browser's clock has it, and that of UTC where somebody points at it."""
    element = text("time", utc(at))
    element.props["datetime"] = payloads.rfc3339(at)
    return element


def utc(at: datetime) -> str:
    """A moment for people, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def notices(said: Iterable[str], classes: str = "") -> None:
    """What must be said wherever answers of the encoder are shown."""
    for each in said:
        text("p", each, f"notice {classes}".strip()).props('role="note"')


def card(title: str, classes: str = "") -> ui.element:
    """A part of a page with its heading; its name is told to who cannot see it, too."""
    section = part("section", f"card {classes}".strip(), aria_label=title)
    with section:
        text("h2", title)
    return section


def facts(*pairs: tuple[str, str | datetime]) -> dict[str, TextElement]:
    """Names, and what they are.

    Returns:
        By the name of each the element that tells what it is, but of moments.
    """
    said = {}
    with part("dl", "facts"):
        for name, value in pairs:
            with part("div"):
                text("dt", name)
                if isinstance(value, datetime):
                    with part("dd"):
                        moment(value)
                else:
                    said[name] = text("dd", value)
    return said


class Facts:
    """Names, and what changes of them; only what has changed is sent."""

    def __init__(self) -> None:
        self._root = part("div")
        self._said: dict[str, TextElement] = {}

    def show(self, now: Mapping[str, str]) -> None:
        """Tells how it is now."""
        if set(now) != set(self._said):
            self._root.clear()
            with self._root:
                self._said = facts(*now.items())
        for name, value in now.items():
            self._said[name].set_text(value)
