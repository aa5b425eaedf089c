"""Image-classification models of transformers, from the hub or a folder, with their own way to prepare pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification
from transformers.utils import logging as transformers_logging

from gend.engines.load import gpu_here
from gend.errors import GendError, WeightsError
from gend.evaluation.config import TransformersDetector
from gend.evaluation.detectors import Floats, Identity, Pixels
from gend.evaluation.detectors.answers import log_odds
from gend.evaluation.detectors.labels import fake_classes


class ClassifierScorer:
    """Runs a model whose labels say what is fake. None of the repository's own code is run.

    Raises:
        WeightsError: it cannot be found or read, is no such model, or lacks weights.
        ConfigError: which of its labels are fake is not clear.
        GendError: there is no GPU, where one is asked for.
    """

    def __init__(self, section: TransformersDetector) -> None:
        self._name = section.model
        gpu = section.device != "cpu" and gpu_here()
        if section.device == "cuda" and not gpu:
            raise GendError("device cuda: torch finds no CUDA GPU")
        self._device = torch.device("cuda" if gpu else "cpu")
        with _quiet():
            self._network, self._processor = _loaded(section.model)
        labels = {int(number): str(label) for number, label in self._network.config.id2label.items()}
        self._fake = fake_classes(labels, section.fake, section.model)
        self._network.eval().to(self._device)
        fakes = ", ".join(labels[number] for number in self._fake)
        self.identity = Identity(
            kind="transformers",
            weights=section.model,
            sha256=_sha256(self._network),
            engine=f"torch-{self._device.type}",
            precision="fp32",
            input=f"{type(self._processor).__name__}; fake: {fakes}",
        )

    def logits(self, crops: Sequence[Pixels]) -> Floats:
        """Log-odds of fake of each crop, float32 (n,)."""
        prepared = self._processor(images=[Image.fromarray(crop) for crop in crops], return_tensors="pt")
        with torch.inference_mode():
            values = self._network(**prepared.to(self._device)).logits.float().cpu().numpy()
        return log_odds(values, "logits", len(crops), fake=self._fake, inverted=False, name=self._name)


def _loaded(model: str) -> tuple[Any, Any]:
    """The network and what prepares its pictures: from the cache, and from the hub only where that lacks them."""
    try:
        return _from_pretrained(model, local_files_only=True)
    except OSError:
        pass
    except (ValueError, KeyError, ImportError) as error:
        raise _failure(model, error) from error
    try:
        return _from_pretrained(model, local_files_only=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise _failure(model, error) from error


def _from_pretrained(model: str, *, local_files_only: bool) -> tuple[Any, Any]:
    processor = AutoImageProcessor.from_pretrained(model, backend="pil", local_files_only=local_files_only)
    network, found = AutoModelForImageClassification.from_pretrained(
        model, local_files_only=local_files_only, dtype=torch.float32, output_loading_info=True
    )
    if missing := sorted(found["missing_keys"]):  # they would be random
        raise WeightsError(f"{model}: no classifier of pictures: it lacks {', '.join(missing[:3])}")
    return network, processor


def _failure(model: str, error: Exception) -> WeightsError:
    first = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return WeightsError(f"{model}: transformers cannot load it as an image-classification model: {first}")


def _sha256(network: Any) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


@contextmanager
def _quiet() -> Iterator[None]:
    """Its bars and notes would mix with ours; what matters comes as errors."""
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)
        transformers_logging.enable_progress_bar()
