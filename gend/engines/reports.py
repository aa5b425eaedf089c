"""What `gend compare` found of int8 networks, kept so that `auto` knows which of them may be trusted.

One JSON file for each int8 network, weights and kind of arithmetic, under the cache folder. It says where the network
is; that it is still the same is checked when it is loaded.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from gend.engines.cpu import CPU
from gend.errors import GendError, WeightsError
from gend.fetch import cache_folder
from gend.tensor_files import read_json

_log = logging.getLogger(__name__)

FORMAT = 1
FEWEST_CROPS = 32
"""A comparison on fewer says nothing."""


@dataclass(frozen=True, slots=True)
class Report:
    """How far an int8 network's logits were from those of the same weights in fp32."""

    weights_sha256: str
    folder: str
    """Where the int8 network is."""
    model_sha256: str
    """Of it, calibration included."""
    arithmetic: str
    """Of the CPU that compared, as `arithmetic` says it: int8 sums may differ from one kind to another."""
    crops: int
    max_drift: float
    """The largest difference of a crop's two logits."""
    mean_drift: float

    def allows(self, max_logit_drift: float, cpu: CPU) -> bool:
        """Whether the network may stand in for the weights on this CPU."""
        same = self.arithmetic == arithmetic(cpu)
        return same and self.crops >= FEWEST_CROPS and self.max_drift <= max_logit_drift


def arithmetic(cpu: CPU) -> str:
    """What int8 networks are computed in on this CPU, as far as it may change their answers."""
    return f"int8 {cpu.int8}, {'bf16' if cpu.bf16 else 'fp32'}"


def save_report(report: Report) -> Path:
    """Keeps a report in the place of an older one of the same network.

    Raises:
        GendError: It cannot be written.
    """
    kind = "".join(letter for letter in report.arithmetic if letter.isalnum())
    path = _folder(report.weights_sha256) / f"{report.model_sha256[:32]}-{kind}.json"
    unfinished = path.with_suffix(".unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(json.dumps({"format": FORMAT, **asdict(report)}, indent=2) + "\n")
        unfinished.replace(path)
    except OSError as error:
        raise GendError(f"{path}: cannot be written ({error.strerror})") from error
    return path


def find_reports(weights_sha256: str) -> list[Report]:
    """Reports on int8 networks of these weights, least drift first. One that cannot be read is logged and left out."""
    reports = []
    for path in sorted(_folder(weights_sha256).glob("*.json")):
        try:
            reports.append(_read(path))
        except WeightsError as error:
            _log.warning("%s; it does not count", error)
    reports = [report for report in reports if report.weights_sha256 == weights_sha256]
    return sorted(reports, key=lambda report: report.max_drift)


def _folder(weights_sha256: str) -> Path:
    return cache_folder() / "reports" / weights_sha256[:32]


def _read(path: Path) -> Report:
    content = dict(read_json(path))
    if content.pop("format", None) != FORMAT:
        raise WeightsError(f"{path}: not a report of this version")
    kinds = {"crops": int, "max_drift": float, "mean_drift": float}
    wrong = [name for name in content if not isinstance(content[name], kinds.get(name, str))]
    try:
        report = Report(**content)  # type: ignore[arg-type]  # types are looked at in the next line
    except TypeError as error:
        raise WeightsError(f"{path}: damaged ({error})") from error
    if wrong or not report.max_drift >= 0:  # NaN is none
        raise WeightsError(f"{path}: damaged: {', '.join(wrong) or 'max_drift'} makes no sense")
    return report
