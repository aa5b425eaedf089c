"""From a section of the configuration to a detector that is ready."""

from __future__ import annotations

from importlib.util import find_spec

from gend.errors import GendError
from gend.evaluation.config import GendDetector, OnnxDetector, TorchScriptDetector, TransformersDetector
from gend.evaluation.detectors import Scorer

AnySection = GendDetector | TorchScriptDetector | OnnxDetector | TransformersDetector


def load_scorer(section: AnySection) -> Scorer:
    """Loads it.

    Raises:
        WeightsError: its weights are missing, damaged, or do not fit.
        GendError: what it runs on is not installed.
    """
    if isinstance(section, GendDetector):
        from gend.evaluation.detectors.ours import GendScorer  # noqa: PLC0415  (each kind has its own libraries)

        return GendScorer.load(section)
    if isinstance(section, TorchScriptDetector):
        _need("torch", "torch")
        from gend.evaluation.detectors.torchscript import TorchScriptScorer  # noqa: PLC0415

        return TorchScriptScorer(section)
    if isinstance(section, OnnxDetector):
        from gend.evaluation.detectors.onnx import OnnxScorer  # noqa: PLC0415

        return OnnxScorer(section)
    _need("transformers", "research")
    _need("torch", "torch")
    from gend.evaluation.detectors.classifier import ClassifierScorer  # noqa: PLC0415

    return ClassifierScorer(section)


def _need(library: str, extra: str) -> None:
    if find_spec(library) is None:
        raise GendError(f"this detector needs {library}: pip install 'gend-monitor[{extra}]'")
