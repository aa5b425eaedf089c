"""The cached logits of `decision_footage.py`: numbers only, bound to the weights that said them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gend.locate import DEMO_WEIGHTS
from monitor.decision.fitting import TrackCrops

CACHE = Path(__file__).parent / "decision_logits.npz"
_AGAIN = "python -m benchmarks.decision_footage FOLDER makes it again"
_HUNDREDTHS = 100.0
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One track of one call: its scored crops in order, as they are and manipulated, (n,) each."""

    person: int
    second: NDArray[np.int64]
    quality: Numbers
    real: Numbers
    lowres: Numbers
    """The face re-made at low resolution, all over the call in one way: what the encoder knows."""
    selfblend: Numbers
    """Blended with itself, all over the call in one way: what it was never taught."""
    curve: Numbers
    """Blended with itself, each crop in a way of its own: what `calibrate` makes curves of."""

    def crops(self) -> TrackCrops:
        """As fitting takes them, of the real call."""
        return TrackCrops(self.second, self.real, self.quality)

    def by_second(self, kind: str) -> Numbers:
        """Logits of one kind, or qualities, in each second of the call from its first to its last; NaN without one."""
        number = self.second - self.second.min()
        with np.errstate(invalid="ignore"):
            mean: Numbers = np.bincount(number, weights=getattr(self, kind)) / np.bincount(number)
        return mean


@dataclass(frozen=True, slots=True)
class Logits:
    """All calls."""

    sha256: str
    """Of the encoder's weights."""
    made: str
    """With what and on which machine, in words."""
    calls: tuple[Call, ...]

    def write(self, path: Path) -> None:
        """Writes the file: logits and qualities in hundredths."""
        header = {
            "what": "logits of the demo encoder, for benchmarks/decision_clips.py; hundredths",
            "sha256": self.sha256,
            "made": self.made,
            "again": _AGAIN,
            "person": [call.person for call in self.calls],
            "crops": [len(call.second) for call in self.calls],
        }
        columns = {
            name: np.rint(np.concatenate([getattr(call, name) for call in self.calls]) * scale).astype(np.int16)
            for name, scale in _columns()
        }
        np.savez_compressed(path, header=np.array(json.dumps(header)), **columns)  # type: ignore[arg-type]  # numpy's stub


def read(path: Path = CACHE, weights: Path = DEMO_WEIGHTS) -> Logits:
    """Reads the cache.

    Raises:
        SystemExit: there is none, or it is of other weights than these; in one line.
    """
    if not path.is_file():
        raise SystemExit(f"{path}: no such file; {_AGAIN}")
    with weights.open("rb") as file:
        mine = hashlib.file_digest(file, "sha256").hexdigest()
    with np.load(path, allow_pickle=False) as stored:
        header = json.loads(str(stored["header"]))
        if header["sha256"] != mine:
            raise SystemExit(
                f"{path}: logits of the weights {header['sha256'][:12]}, but {weights.name} is {mine[:12]}; {_AGAIN}"
            )
        ends = np.cumsum(header["crops"])[:-1]
        columns = {name: np.split(stored[name] / scale, ends) for name, scale in _columns()}
    seconds = [each.astype(np.int64) for each in columns.pop("second")]
    calls = tuple(
        Call(person, seconds[number], **{name: parts[number] for name, parts in columns.items()})
        for number, person in enumerate(header["person"])
    )
    return Logits(mine, header["made"], calls)


def _columns() -> Sequence[tuple[str, float]]:
    """Name and scale of each array."""
    return [(each.name, 1.0 if each.name == "second" else _HUNDREDTHS) for each in fields(Call)[1:]]
