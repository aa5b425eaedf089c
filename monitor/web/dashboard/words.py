"""How figures and states are said to people, where Python says them; `call_page/words.js` does it in the browser."""

from __future__ import annotations

from monitor.messages import VerdictState

VERDICTS: dict[VerdictState, str] = {
    "inconclusive": "Not sure yet",
    "clear": "No sign of manipulation",
    "suspect": "Something is odd",
    "fake": "Likely manipulated",
}


def in_a_sentence(verdict: VerdictState) -> str:
    """The same, where it does not stand alone."""
    return VERDICTS[verdict].lower()


CAUSES = {
    "alignment": "the face can hardly be made out",
    "blurred": "the picture of it was blurred",
    "confidence": "the face can hardly be made out",
    "cut_off": "cut off at the edge of the picture",
    "failed": "could not be cut out",
    "pose": "turned away",
    "small": "too small",
    "superseded": "a newer frame had come",
    "untrusted": "damaged on the way",
}
"""Why a frame was not looked at, or a face not scored, by the names of the figures."""
