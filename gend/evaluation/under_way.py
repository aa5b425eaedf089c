"""How long work tells how far it has come: types that `gend.progress.FileProgress` fits."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

Told = Callable[[int, int], None]
"""How much is done, and of how much."""
UnderWay = Callable[[str], AbstractContextManager[Told]]
"""Shows a part of the work, by its name, while it is done."""
