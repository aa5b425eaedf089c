"""The report: one HTML file with everything in it, tables and plots, that needs no network and no script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

import yaml

from gend.evaluation.bootstrap import Interval
from gend.evaluation.corruptions import KINDS
from gend.evaluation.measuring import ALL_SETS, MEAN_OF_SETS, Level, Pooling, Row
from gend.evaluation.results import Results
from gend.evaluation.robustness import RobustnessRow
from gend.pages.elements import (
    aside,
    cards,
    details,
    document,
    figure,
    number_cell,
    paragraph,
    section,
    table,
    text_cell,
)

_COLUMNS = {
    "auroc": ("AUROC", "Probability that a fake scores above a real one."),
    "average_precision": ("AP", "Average precision, of fakes."),
    "eer": ("EER", "Equal error rate: false alarms and misses are equally frequent."),
    "balanced_accuracy": ("bal. acc.", "Balanced accuracy at the threshold of the equal error rate."),
    "accuracy": ("acc.", "Accuracy at the same threshold."),
    "f1": ("F1", "F1 at the same threshold."),
    "best_f1": ("best F1", "F1 at the best of all thresholds."),
    "tpr_at_fpr_5_percent": ("TPR @ 5 %", "Fakes found where at most 5 % of the real ones are called fake."),
    "tpr_at_fpr_1_percent": ("TPR @ 1 %", "Likewise at 1 %."),
    "tpr_at_fpr_0_1_percent": ("TPR @ 0.1 %", "Likewise at 0.1 %."),
    "wasserstein": ("W₁", "Wasserstein-1 distance between the scores of real ones and fakes."),
    "eer_threshold": ("threshold", "p(fake) at the equal error rate."),
}
_LEVELS: tuple[tuple[Level, Pooling | None, str], ...] = (
    ("video", "mean", "Videos, by the mean of their frames"),
    ("video", "median", "Videos, by the median of their frames"),
    ("frame", None, "Frames"),
)


def page(results: Results, plots: Mapping[str, str]) -> str:
    """The report.

    Args:
        results: what is told.
        plots: SVG elements by name: `overview`, `curves:<set>`, `scores:<set>:<detector>`, `robustness:<corruption>`.
    """
    title = f"Evaluation of {', '.join(each.identity.weights for each in results.detectors)}"
    body = [
        f"<header><h1>{escape(title)}</h1>{paragraph(results.about)}{_key_figures(results)}</header>",
        aside("To keep in mind", results.caveats),
        section("Overview", figure(plots.get("overview"))),
        section("Figures", *(_figures(results.rows, *level, opened=not n) for n, level in enumerate(_LEVELS))),
        _robustness(results, plots),
        section("Each set", *_sets(results, plots)),
        section("What was judged, and how", *_how(results)),
    ]
    return document(title, body)


def _key_figures(results: Results) -> str:
    """What one looks for first: AUROC of videos, of each detector over all."""
    name = results.sets[0].name if len(results.sets) == 1 else ALL_SETS
    found = []
    for row in results.rows:
        if (row.set, row.source, row.level, row.pooling) == (name, None, "video", "mean") and row.figures is not None:
            low, high = row.spans.get("auroc", (None, None))
            span = "no interval" if low is None else f"95 %: {low:.3f} to {high:.3f}"
            what = f"AUROC of videos, {row.detector}"
            found.append((f"{row.figures.auroc:.3f}", (what, f"{span}; {row.real} real, {row.fake} fake, {name}")))
    return cards(found)


def _figures(rows: Sequence[Row], level: Level, pooling: Pooling | None, title: str, *, opened: bool) -> str:
    chosen = [row for row in rows if (row.level, row.pooling) == (level, pooling)]
    several = len({row.detector for row in chosen}) > 1
    order = {name: number for number, name in enumerate(dict.fromkeys(row.set for row in chosen))}
    chosen.sort(key=lambda row: (row.set in (ALL_SETS, MEAN_OF_SETS), order[row.set], row.source or ""))
    heads = [("set", ""), *([("detector", "")] if several else []), ("real", "How many."), ("fake", "How many.")]
    heads += _heads("that of the first detector, on the same crops" if several else None)
    lines = []
    before = None
    for row in chosen:
        place = (row.set, row.source)
        name = escape(row.set) if row.source is None else f'<span class="part">{escape(row.source)}</span>'
        cells = [
            f"<th scope=row>{name if place != before else ''}</th>",
            *([text_cell(row.detector)] if several else []),
        ]
        cells += [number_cell(row.real, "d"), number_cell(row.fake, "d"), *_cells(row, compared=several)]
        kind = "total" if row.set in (ALL_SETS, MEAN_OF_SETS) else "new" if place != before else ""
        lines.append(f'<tr class="{kind}">{"".join(cells)}</tr>')
        before = place
    return details(title, table(heads, lines), opened=opened)


def _heads(compared_with: str | None) -> list[tuple[str, str]]:
    first, *others = _COLUMNS.values()
    change = [] if compared_with is None else [("ΔAUROC", f"Less {compared_with}; with 95 % interval.")]
    return [first, *change, *others]


def _cells(row: Row | RobustnessRow, *, compared: bool) -> list[str]:
    if row.figures is None:
        return [f'<td colspan="{len(_COLUMNS) + compared}" class="none">one class alone</td>']
    first, *others = (number_cell(getattr(row.figures, name), ".3f", row.spans.get(name)) for name in _COLUMNS)
    return [first, *([_change(row.difference)] if compared else []), *others]


def _robustness(results: Results, plots: Mapping[str, str]) -> str:
    if not results.robustness:
        return ""
    clean = next(row for row in results.robustness if row.corruption is None)
    about = f"The same {clean.real} real and {clean.fake} fake videos of all sets, made worse; videos by the mean of "
    about += "their frames. Bands are 95 % intervals; the thin line is the same videos as they are."
    drawn = [figure(svg) for name, svg in plots.items() if name.startswith("robustness:")]
    heads = [("corruption", ""), ("severity", ""), ("detector", ""), *_heads("that of the same videos as they are")]
    lines = []
    for row in results.robustness:
        worse = row.corruption
        name = "none" if worse is None else KINDS[worse.kind]
        severity = "" if worse is None else f"{worse.severity:g} {worse.filter or ''}"
        cells = [f"<th scope=row>{escape(name)}</th>", text_cell(severity), text_cell(row.detector)]
        lines.append(f"<tr>{''.join([*cells, *_cells(row, compared=True)])}</tr>")
    return section("Robustness", paragraph(about), *drawn, details("As a table", table(heads, lines), opened=False))


def _sets(results: Results, plots: Mapping[str, str]) -> Iterable[str]:
    """Plots of each set, and of all together; opened where there is one alone."""
    about = {each.name: each.about for each in results.sets}
    names = [*about, *([ALL_SETS] if len(about) > 1 else [])]
    for name in names:
        parts = [paragraph(about.get(name, "")), figure(plots.get(f"curves:{name}"))]
        for detector in results.detectors:
            svg = plots.get(f"scores:{name}:{detector.name}")
            if svg is not None:
                heading = f"<h3>{escape(detector.name)}</h3>" if len(results.detectors) > 1 else ""
                parts.append(heading + figure(svg))
        yield details(name, *parts, opened=len(names) == 1)


def _how(results: Results) -> Iterable[str]:
    heads = [(name, "") for name in ("detector", "kind", "weights", "SHA-256", "engine", "precision", "input")]
    lines = []
    for each in results.detectors:
        known = each.identity
        digests = "<br>".join(f"<code>{part[:16]}</code>" for part in known.sha256.split("+"))
        cells = [f"<th scope=row>{escape(each.name)}</th>", text_cell(known.kind), text_cell(known.weights)]
        cells += [f"<td>{digests}</td>", text_cell(known.engine), text_cell(known.precision), text_cell(known.input)]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    yield table(heads, lines, "names")
    heads = [(name, "") for name in ("set", "crops", "real videos", "fakes", "pairs known", "SHA-256 of the data")]
    lines = []
    for judged in results.sets:
        cells = [
            f"<th scope=row>{escape(judged.name)}</th>",
            number_cell(judged.crops, "d"),
            number_cell(judged.real, "d"),
        ]
        cells += [number_cell(judged.fake, "d"), text_cell("yes" if judged.paired else "no")]
        lines.append(f"<tr>{''.join(cells)}<td><code>{judged.sha256[:16]}</code></td></tr>")
    yield table(heads, lines, "names")
    terms = "".join(f"<dt>{escape(name)}</dt><dd>{escape(meaning)}</dd>" for name, meaning in _COLUMNS.values())
    yield details("What the figures are", f"<dl>{terms}</dl>", opened=False)
    settings = yaml.safe_dump(dict(results.configuration), sort_keys=False, allow_unicode=True)
    yield details("Configuration", f"<pre>{escape(settings)}</pre>", opened=False)
    versions = ", ".join(f"{name} {number}" for name, number in results.versions.items())
    yield f"<p class=small>{escape(versions)}</p>"


def _change(interval: Interval | None) -> str:
    if interval is None:
        return "<td></td>"
    sure = "" if interval.low <= 0 <= interval.high else " class=sure"
    return f"<td{sure}>{interval.value:+.3f}<small>{interval.low:+.3f} to {interval.high:+.3f}</small></td>"
