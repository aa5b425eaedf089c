"""Elements of plain HTML that hold text. Whatever the text is, it is shown as it stands, and never read as HTML."""

from __future__ import annotations

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


def facts(*pairs: tuple[str, str | datetime]) -> None:
    """Names, and what they are."""
    with part("dl", "facts"):
        for name, value in pairs:
            with part("div"):
                text("dt", name)
                if isinstance(value, datetime):
                    with part("dd"):
                        moment(value)
                else:
                    text("dd", value)
