"""The faces of a file that was scored, as a table for spreadsheets and other programs."""

from __future__ import annotations

import csv
import io
from typing import Any

_COLUMNS = ("frame", "at_s", "track", "x0", "y0", "x1", "y1", "confidence", "logit", "p_fake")


def as_csv(result: dict[str, Any]) -> str:
    """A line for each face of each frame; numbers only, so that no spreadsheet takes anything for a formula.

    Args:
        result: of a job.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for face in result["details"]:
        rows.writerow(
            [
                face["frame"],
                f"{face['at_s']:.3f}",
                face["track"],
                *(f"{edge:.1f}" for edge in face["box"]),
                f"{face['confidence']:.4f}",
                f"{face['logit']:.5f}",
                f"{face['p_fake']:.6f}",
            ]
        )
    return text.getvalue()
