"""Many trainings that differ in some settings: every combination of the values a configuration lists."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from gend.errors import ConfigError
from gend.training.config import TrainingConfig
from gend.training.run import SUMMARY, differences, train


@dataclass(frozen=True, slots=True)
class Member:
    """One of them."""

    changes: tuple[str, ...]
    """What sets it apart, as words of a command line."""
    figures: Mapping[str, float]
    """Of its validation."""


def combinations(sweep: Mapping[str, Sequence[Any]]) -> list[tuple[str, ...]]:
    """Words such as `losses.uniformity=0.5`, for each combination; the last setting varies fastest."""
    return [
        tuple(f"{name}={json.dumps(value)}" for name, value in zip(sweep, values, strict=True))
        for values in product(*sweep.values())
    ]


def run_sweep(
    load: Callable[[Sequence[str]], TrainingConfig], out: Path, *, resume: bool, say: Callable[[str], None]
) -> list[Member]:
    """Trains all of them, one after the other, each in a folder of its own under `out`.

    Args:
        load: the configuration with some settings changed.
        out: folder of all of them.
        resume: go on with what was interrupted; those that are done stay as they are.
        say: told what each training says.

    Raises:
        GendError: as `train`; settings that do not exist are told before the first begins.
    """
    changes = combinations(load(()).sweep)
    configs = [load((*each, "sweep={}")) for each in changes]
    members: list[Member] = []
    for number, (each, config) in enumerate(zip(changes, configs, strict=True), 1):
        folder = out / ",".join(each)
        say(f"{number} of {len(changes)}: {' '.join(each)}")
        done = folder / SUMMARY
        if resume and done.is_file():
            summary = json.loads(done.read_text())
            if changed := differences(summary["configuration"], config.model_dump(mode="json")):
                raise ConfigError(f"{folder}: was trained with another configuration: {', '.join(changed)}")
            figures = summary["validation"]
        else:
            figures = train(config, folder, resume=resume and folder.is_dir(), say=say).figures
        members.append(Member(each, figures))
    return members
