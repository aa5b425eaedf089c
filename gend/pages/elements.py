"""Elements of a page, as HTML. Text is escaped here; what is put together of elements is not escaped again."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from gend.pages.style import STYLE


def document(title: str, body: Iterable[str]) -> str:
    """The whole file."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    top = f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head>'
    return f"{top}\n<body>{''.join(body)}</body></html>\n"


def cards(found: Iterable[tuple[str, Iterable[str]]]) -> str:
    """What one looks for first: each a figure in large, and lines that say what it is."""
    each = (
        f'<div class="card"><b>{escape(value)}</b><span>{"<br>".join(map(escape, about))}</span></div>'
        for value, about in found
    )
    return f'<div class="cards">{"".join(each)}</div>'


def aside(title: str, lines: Iterable[str]) -> str:
    """What must not be overlooked."""
    items = "".join(f"<li>{escape(each)}</li>" for each in lines)
    return f"<aside><h2>{escape(title)}</h2><ul>{items}</ul></aside>"


def number_cell(value: float, shape: str, span: tuple[float, float] | None = None) -> str:
    """A cell with a number, and its interval below."""
    small = "" if span is None else f"<small>{span[0]:.3f}&ndash;{span[1]:.3f}</small>"
    return f"<td>{value:{shape}}{small}</td>"


def text_cell(text: str) -> str:
    """A cell with words."""
    return f"<td class=text>{escape(text)}</td>"


def table(heads: Iterable[tuple[str, str]], lines: Iterable[str], kind: str = "") -> str:
    """A table.

    Args:
        heads: of columns: name, and what it means where that needs saying.
        lines: rows as elements.
        kind: `names` where cells are words.
    """
    top = "".join(
        f'<th scope=col title="{escape(meaning)}">{escape(name)}</th>' if meaning else f"<th>{escape(name)}</th>"
        for name, meaning in heads
    )
    whole = f"<thead><tr>{top}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f'<div class="wide"><table class="{kind}">{whole}</table></div>'


def section(title: str, *parts: str) -> str:
    """A heading, and elements under it."""
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def details(title: str, *parts: str, opened: bool) -> str:
    """The same, to be opened and closed."""
    return f"<details{' open' if opened else ''}><summary>{escape(title)}</summary>{''.join(parts)}</details>"


def figure(svg: str | None) -> str:
    """A plot; nothing where there is none."""
    return "" if svg is None else f"<figure>{svg}</figure>"


def paragraph(text: str) -> str:
    """A paragraph; nothing of an empty text."""
    return f"<p>{escape(text)}</p>" if text else ""
