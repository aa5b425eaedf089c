"""Converts a checkpoint in a process of its own, so that torch and the fp32 weights leave no trace in the caller's.

Run by `cache.py`: `python -m gend.engines.convert WEIGHTS PRECISION FOLDER`. A failure is one line on stderr.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args

from gend.engines import Precision
from gend.errors import GendError


def main(weights: str, precision: str, folder: str) -> int:
    """Writes the folder, and says what its exit code is to be."""
    from gend.checkpoint import load_checkpoint  # noqa: PLC0415  (torch: where it is missing, one line says so)
    from gend.export import export  # noqa: PLC0415

    [known] = [each for each in get_args(Precision) if each == precision]
    try:
        export(load_checkpoint(weights), Path(folder), "openvino", known, weights=weights)
    except GendError as error:
        print(error, file=sys.stderr)  # noqa: T201  (the caller reads it)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
