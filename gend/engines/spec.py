"""A detector and how it is to be run, in a few words: what command lines and configurations say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from gend.engines.choose import AnyEngine, AnyPrecision
from gend.engines.exported import is_exported
from gend.errors import GendError

_WAY = re.compile(r"(?P<weights>.+)@(?P<engine>torch|openvino)(:(?P<precision>fp32|bf16|int8))?")


@dataclass(frozen=True, slots=True)
class Spec:
    """Weights, and how they are to be run."""

    weights: str
    engine: AnyEngine = "torch"
    precision: AnyPrecision = "fp32"

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Of `WEIGHTS`, `WEIGHTS@ENGINE`, `WEIGHTS@ENGINE:PRECISION`, or a folder that `gend export` wrote.

        Weights alone are run by torch in fp32, an engine alone in fp32 too.

        Raises:
            GendError: There is no such engine or precision.
        """
        if is_exported(text):
            return cls(text, "openvino", "auto")
        way = _WAY.fullmatch(text)
        if way is None:
            if "@" in text and not Path(text).exists():
                raise GendError(f"{text}: behind @ stands torch or openvino, then maybe :fp32, :bf16 or :int8")
            return cls(text)
        engine, precision = cast("AnyEngine", way["engine"]), cast("AnyPrecision", way["precision"] or "fp32")
        return cls(way["weights"], engine, precision)
