"""How plots look: SVG that takes its colours and its font from the page it stands in."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from typing import Any

from matplotlib.lines import Line2D

SERIES = ("#3477c9", "#c8701a", "#2f9468", "#8d63c4", "#c8475f", "#1f949c", "#93693f", "#7a8290")
"""Of series, in their order; told from each other and from both backgrounds."""
REAL_COLOUR, FAKE_COLOUR = "#2f9468", "#c8475f"

INK, LINE = "#010101", "#020202"
"""Stand for the page's colours of text and of thin lines, which are put in their place."""
STYLE = {
    "axes.edgecolor": LINE,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "font.size": 9,
    "grid.color": LINE,
    "grid.linewidth": 0.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "savefig.transparent": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "gend",
    "text.color": INK,
    "xtick.color": LINE,
    "xtick.labelcolor": INK,
    "ytick.color": LINE,
    "ytick.labelcolor": INK,
}
PANEL_INCHES = 3.3


def legend(canvas: Any, series: Sequence[str], more: Sequence[tuple[str, str]] = ()) -> None:
    """Below the plots: series by colour where there are several, then what lines mean."""
    handles = [
        Line2D((), (), color=SERIES[number % len(SERIES)], linewidth=2.5, label=name)
        for number, name in enumerate(series)
        if len(series) > 1
    ]
    handles += [Line2D((), (), color=INK, linestyle=line, linewidth=1.6, label=name) for name, line in more]
    if handles:
        canvas.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 6))


def standalone(svg: str) -> str:
    """The same as a file of its own, for a white page."""
    return svg.replace("currentColor", "#222222").replace("var(--line)", "#cccccc")


def as_svg(canvas: Any) -> str:
    """The picture as an element of a page: as wide as there is room, in the page's font and colours."""
    text = io.StringIO()
    canvas.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    head, rest = svg.split(">", 1)
    svg = re.sub(r' (?:width|height)="[^"]*"', "", head) + ">" + re.sub(r"font-family: [^;\"]*;? ?", "", rest)
    svg = svg.replace(INK, "currentColor").replace(LINE, "var(--line)")
    # Of two elements of one name a page knows the first, which may be hidden.
    own = hashlib.sha256(svg.encode()).hexdigest()[:8]
    return re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{own}-", svg)
