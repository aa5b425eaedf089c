"""The fine-tunes that one encoder holds at a time, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np

from gend.adapter import Adapter, bank, check_same_encoder, file_sha256, load_adapter
from gend.engines import Mix
from gend.errors import WeightsError


class FineTunes:
    """Immutable, so that a batch is judged by one state of it.

    Args:
        own: the encoder's own, as its checkpoint has it.
        named: the others.
        sha256: of their files.
    """

    def __init__(
        self, own: Adapter, named: Mapping[str, Adapter] | None = None, sha256: Mapping[str, str] | None = None
    ) -> None:
        self.sha256 = sha256 or {}
        self._own = own
        self._rows: dict[str | None, int] = {name: row for row, name in enumerate([None, *(named or {})])}
        self._bank = bank([own, *(named or {}).values()])

    def having(self, files: Mapping[str, str | Path]) -> Self:
        """The same encoder with these fine-tunes and no others.

        Raises:
            WeightsError: One cannot be read, or is of another encoder.
        """
        named = {name: load_adapter(path) for name, path in files.items()}
        for name, adapter in named.items():
            check_same_encoder(adapter, self._own, f"adapter {name} ({files[name]})")
        return type(self)(self._own, named, {name: file_sha256(path) for name, path in files.items()})

    def mix(self, names: Sequence[str | None]) -> Mix:
        """The fine-tune of each crop; None is the encoder's own.

        Raises:
            WeightsError: There is none of that name.
        """
        if unknown := [name for name in names if name not in self._rows]:
            known = ", ".join(name for name in self._rows if name is not None) or "none"
            raise WeightsError(f"no adapter is called {unknown[0]}; there are: {known}")
        return Mix(self._bank, np.array([self._rows[name] for name in names], dtype=np.intp))
