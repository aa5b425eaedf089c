"""What must be kept in mind with the figures: said in the report, so that nobody has to know it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from gend.data.pair_sources import SourceKind
from gend.evaluation.bootstrap import FEWEST_GROUPS
from gend.evaluation.measuring import MEAN_OF_SETS, Row
from gend.evaluation.results import JudgedBy, JudgedSet

_RELEASED = re.compile(r"GenD_(CLIP|DINOv3|PE)")
_SMALLEST_FPR = 0.001
_MADE_OF: Mapping[SourceKind, str] = {
    "fetched": "drawn by this project, partly from the few photographs that the demo encoder has learnt from. It shows "
    "that the chain works, and says nothing about footage.",
    "drawn": "drawn by this project, no camera has seen any of it. It shows that the chain works, and says nothing "
    "about footage.",
    "crops": "pairs of real faces of this footage and the same re-made by this project. It says how often these faces "
    "are called fake, and nothing about forgeries made in other ways.",
}


def caveats(
    detectors: Sequence[JudgedBy],
    sets: Sequence[JudgedSet],
    rows: Sequence[Row],
    *,
    unreadable: int,
    unchecked: Sequence[str],
) -> list[str]:
    """One sentence or two for each, the weightiest first.

    Args:
        detectors: that judged.
        sets: that were judged.
        rows: of figures.
        unreadable: how many crops were left out.
        unchecked: detectors of which nobody knows whether they have learnt from these videos.
    """
    said = [f"{detector.name}: {notice}." for detector in detectors for notice in detector.identity.notices]
    released = [each.name for each in detectors if _RELEASED.search(each.identity.weights)]
    selected = [each.name for each in sets if each.selected_on]
    if released and selected:
        said.append(
            "Checkpoints of the paper were selected on validation splits of DeepSpeak, Celeb-DF++ and FFIW, so rows "
            f"of these data sets are not fully cross-dataset: {', '.join(selected)} by {', '.join(released)}."
        )
    for kind, what in _MADE_OF.items():
        if made := [each.name for each in sets if each.made_of == kind]:
            said.append(f"{', '.join(made)}: {what}")
    if unreadable:
        said.append(f"Crops that could not be read and are left out: {unreadable} (named in results.json).")
    if one := [each.name for each in sets if not each.real or not each.fake]:
        said.append(f"{', '.join(one)}: one class alone, hence no figures; it counts in the pot of all sets.")
    if any(row.figures is not None and not row.spans for row in rows if row.set != MEAN_OF_SETS):
        said.append(f"No interval is given where either class has fewer than {FEWEST_GROUPS} videos or sources.")
    said.append(
        "Accuracy, balanced accuracy, F1 and the confusion tables are at the threshold of the equal error rate, best "
        "F1 is at the best one: both are chosen on the very scores they judge, and do not carry to other footage."
    )
    least = min((each.real for each in sets if each.real), default=0)
    if least and least < 1 / _SMALLEST_FPR:
        said.append(
            f"With fewer than 1,000 real videos (the smallest set has {least}) a false positive rate of 0.1 % "
            "means none at all."
        )
    if unpaired := [each.name for each in sets if not each.paired and each.real and each.fake]:
        said.append(
            f"{', '.join(unpaired)}: no manifest says which real video a manipulated one was made from, so intervals "
            "draw single videos and may be too narrow."
        )
    footage = [each.name for each in sets if each.made_of in (None, "crops")]
    if unchecked and footage:
        said.append(
            f"What {', '.join(unchecked)} learnt from is not said, or not here, so it was not checked that these "
            "videos are not among it (`trained_on` in the configuration says it)."
        )
    return said
