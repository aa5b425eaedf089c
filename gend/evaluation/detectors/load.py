"""From a section of the configuration to a detector that is ready."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from gend.engines.exported import is_exported
from gend.engines.spec import Spec
from gend.errors import GendError, WeightsError
from gend.evaluation.config import GendDetector, OnnxDetector, TorchScriptDetector, TransformersDetector
from gend.evaluation.detectors import Scorer
from gend.locate import locate

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


def check_detectors(sections: Mapping[str, AnySection]) -> None:
    """Looks for the weights of all detectors, before hours go into the first.

    Those of ours are fetched, where they are on the hub.

    Raises:
        WeightsError: some are missing; all of them are named.
    """
    faults = []
    for name, section in sections.items():
        try:
            _find(section)
        except GendError as error:
            faults.append(f"{name}: {error}")
    if faults:
        raise WeightsError("\n".join(faults))


def _find(section: AnySection) -> None:
    if isinstance(section, GendDetector):
        weights = Spec.parse(section.weights).weights
        if not is_exported(weights):
            locate(weights)
        if section.adapter is not None and not section.adapter.is_file():
            raise WeightsError(f"{section.adapter}: no such file")
    elif not isinstance(section, TransformersDetector) and not section.file.is_file():
        raise WeightsError(f"{section.file}: no such file")


def _need(library: str, extra: str) -> None:
    if find_spec(library) is None:
        raise GendError(f"this detector needs {library}: pip install 'gend-monitor[{extra}]'")
