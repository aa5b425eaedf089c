"""Names of face detectors, for who must check one before anything heavy is imported; `gend.faces` loads them."""

from __future__ import annotations

import re

PATTERN = "^(auto|yunet|blazeface|scrfd|scrfd:.+)$"
"""Of the names."""
SENTENCE = "there are auto, yunet, blazeface, scrfd and scrfd:FILE"


def is_face_detector(name: str) -> bool:
    """Whether it names one; that its file is there is seen when it is loaded."""
    return re.fullmatch(PATTERN, name) is not None
