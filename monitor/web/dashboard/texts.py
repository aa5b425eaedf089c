"""Words in the elements of HTML that they belong in: headings, paragraphs, cells. Never as HTML themselves."""

from __future__ import annotations

from nicegui.elements.mixins.text_element import TextElement


def text(tag: str, words: str = "") -> TextElement:
    """An element that holds nothing but words, whatever is written in them."""
    return TextElement(tag=tag, text=words)
