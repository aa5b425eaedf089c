"""Which labels of a classifier mean fake, by the words in them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from gend.errors import ConfigError

_FAKE = {
    "ai", "altered", "artificial", "deepfake", "deepfakes", "fake", "fakes", "forged", "forgery", "generated",
    "manipulated", "spoof", "swapped", "synthetic",
}  # fmt: skip
_REAL = {
    "authentic", "bonafide", "genuine", "hum", "human", "live", "natural", "original", "pristine", "real", "realism",
    "unaltered",
}  # fmt: skip


def fake_classes(labels: Mapping[int, str], asked: Sequence[str], model: str) -> tuple[int, ...]:
    """The classes that are fake.

    Args:
        labels: of each class, as the model names it.
        asked: labels that the configuration calls fake; none: the words decide.
        model: its name, for errors.

    Raises:
        ConfigError: a label that is asked for is not there, or the words do not say it of every class.
    """
    listed = ", ".join(f"{number}: {label}" for number, label in sorted(labels.items()))
    if asked:
        known = {label.lower(): number for number, label in labels.items()}
        if unknown := [label for label in asked if label.lower() not in known]:
            raise ConfigError(f"{model}: fake: no label {', '.join(unknown)}; there are {listed}")
        classes = tuple(sorted(known[label.lower()] for label in asked))
    else:
        kinds = {number: _kind(label) for number, label in labels.items()}
        if None in kinds.values():
            raise ConfigError(f"{model}: its labels do not say which are fake ({listed}); name them: `fake: [LABEL]`")
        classes = tuple(sorted(number for number, fake in kinds.items() if fake))
    if not classes or len(classes) == len(labels):
        raise ConfigError(f"{model}: of its labels {'all' if classes else 'none'} would be fake ({listed})")
    return classes


def _kind(label: str) -> bool | None:
    """True for fake, False for real, None where the words say neither or both."""
    words = set(re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", label).lower()))
    fake, real = bool(words & _FAKE), bool(words & _REAL)
    return None if fake == real else fake
