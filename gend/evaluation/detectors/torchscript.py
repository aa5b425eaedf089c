"""Networks as TorchScript files, which carry their own code."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence

import torch

from gend.engines.load import gpu_here
from gend.errors import GendError, WeightsError
from gend.evaluation.config import TorchScriptDetector
from gend.evaluation.detectors import Floats, Pixels
from gend.evaluation.detectors.answers import identity_of, log_odds, normalised

_log = logging.getLogger(__name__)


class TorchScriptScorer:
    """Runs a TorchScript file, and says beforehand that it does.

    Raises:
        WeightsError: there is no such file, or it is no TorchScript.
        GendError: there is no GPU, where one is asked for.
    """

    def __init__(self, section: TorchScriptDetector) -> None:
        self._section = section
        if not section.file.is_file():
            raise WeightsError(f"{section.file}: no such file")
        gpu = section.device != "cpu" and gpu_here()
        if section.device == "cuda" and not gpu:
            raise GendError("device cuda: torch finds no CUDA GPU")
        self._device = torch.device("cuda" if gpu else "cpu")
        _log.warning(
            "notice: %s: TorchScript is code, which runs here as you; name only files that you trust", section.file
        )
        try:
            with warnings.catch_warnings():
                # torch would rather have other formats; these files are what people have.
                warnings.simplefilter("ignore", DeprecationWarning)
                self._network = torch.jit.load(str(section.file), map_location=self._device).eval()  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError) as error:
            raise WeightsError(f"{section.file}: not a TorchScript file ({_first_line(error)})") from error
        self.identity = identity_of(section, f"torch-{self._device.type}")

    def logits(self, crops: Sequence[Pixels]) -> Floats:
        """Log-odds of fake of each crop, float32 (n,).

        Raises:
            GendError: it cannot take such pictures, or its answer is not what `output` says.
        """
        said = self._section
        batch = normalised(crops, said.input_px, said.interpolation, said.mean, said.std)
        try:
            with torch.inference_mode():
                answer = self._network(torch.from_numpy(batch).to(self._device))
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            if "memory" in str(error):
                raise
            raise GendError(f"{said.file}: cannot take float32 {batch.shape}: {_last_line(error)}") from error
        if isinstance(answer, tuple | list) and answer:
            answer = answer[0]
        if not isinstance(answer, torch.Tensor):
            raise GendError(f"{said.file}: its answer is {type(answer).__name__}, no tensor")
        values = answer.float().cpu().numpy()
        return log_odds(values, said.output, len(crops), fake=said.fake, inverted=said.inverted, name=str(said.file))


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
