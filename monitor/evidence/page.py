"""A package's page: one HTML file that needs nothing else, runs nothing and loads nothing."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from monitor.evidence.manifest import Provenance
from monitor.messages import Alert

_STYLE = """
:root{color-scheme:light dark;--text:#1f2328;--quiet:#57606a;--page:#f6f8fa;--card:#fff;--line:#d0d7de;
--red:#b3261e;--warn:#fff8c5;--warn-line:#d4a72c;--link:#0969da}
@media (prefers-color-scheme:dark){:root{--text:#f0f6fc;--quiet:#9198a1;--page:#0d1117;--card:#161b22;--line:#30363d;
--red:#ff7b72;--warn:#2e2711;--warn-line:#9e6a03;--link:#58a6ff}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--text);font:16px/1.5 system-ui,sans-serif}
main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 3rem}h1{font-size:1.6rem;margin:0}
h2{font-size:1.1rem;margin:0 0 .8rem}.quiet{color:var(--quiet)}p{margin:.2rem 0}
section{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1rem 1.2rem;margin-top:1rem}
.warn{background:var(--warn);border-color:var(--warn-line)}.red{color:var(--red);font-weight:600}
.crops{display:grid;margin-top:.8rem;grid-template-columns:repeat(auto-fill,minmax(min(11rem,45%),1fr));gap:1rem}figure{margin:0}
img{max-width:100%;border-radius:.4rem;display:block}.wide{overflow-x:auto}.wide img{width:100%;min-width:40rem}
.crops img{width:100%;aspect-ratio:1}
figcaption{color:var(--quiet);font-size:.85rem;margin-top:.3rem}
dl{display:grid;grid-template-columns:minmax(9rem,max-content) 1fr;gap:.25rem 1.2rem;margin:0}
dt{color:var(--quiet)}dd{margin:0;overflow-wrap:anywhere}code{font:.85em ui-monospace,monospace;overflow-wrap:anywhere}
a{color:var(--link)}
"""


@dataclass(frozen=True, slots=True)
class ShownCrop:
    """A crop as the page shows it."""

    png: bytes
    time: str
    logit: float
    quality: float
    width_px: float


@dataclass(frozen=True, slots=True)
class ShownClip:
    """The clip's name in the package, or why there is none."""

    name: str | None
    absence: str | None


def page_html(
    alert: Alert,
    crops: Sequence[ShownCrop],
    timeline: str,
    clip: ShownClip,
    *,
    provenance: Provenance,
    adapter_sha256: str | None,
    fingerprint: str,
) -> str:
    """Writes the page.

    Args:
        alert: what was raised.
        crops: in the order they are shown.
        timeline: an SVG.
        clip: the clip, or why there is none.
        provenance: what judged.
        adapter_sha256: of the fine-tune that judged.
        fingerprint: of the key that signs the package.
    """
    style = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'"
    when = f"{alert.at:%Y-%m-%d %H:%M:%S} UTC"
    picture = base64.b64encode(timeline.encode()).decode()
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Alert on {escape(alert.stream)}, {when}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>Alert on {escape(alert.stream)}</h1>
<p class="quiet">{when} · face {escape(alert.track)} · {escape(alert.reason)}</p>
{_caution(alert)}
<section>
<h2>What was held</h2>
{_list(_held(alert))}
</section>
<section>
<h2>Evidence over time</h2>
<div class=wide>
<img alt="Evidence against its threshold, and the crops' logits, over time" src="data:image/svg+xml;base64,{picture}">
</div>
</section>
<section>
<h2>The face</h2>
{_crops(crops)}
</section>
<section>
<h2>Clip</h2>
{_clip(clip)}
</section>
<section>
<h2>What judged</h2>
{_list(_judged(alert, provenance, adapter_sha256))}
</section>
<section>
<h2>Is this package whole?</h2>
<p>Not this page can tell, only the signature over <code>manifest.json</code>. With the fingerprint from the machine
that made it, asked for by another way than the package came:</p>
<p><code>gend-monitor verify FOLDER --key FINGERPRINT</code></p>
<p class="quiet">This package says of itself that it is signed by <code>{escape(fingerprint)}</code>.</p>
</section>
</main>
</body>
</html>
"""


def _caution(alert: Alert) -> str:
    lines = [f'<p class="red">{escape(notice)}</p>' for notice in alert.notices]
    if alert.calibrated:
        promised = alert.false_alarms_promised_per_stream_day
        lines.append(f"<p>Calibrated: {promised:g} false alarms a day and stream are promised at the most.</p>")
    else:
        lines.append(
            "<p><strong>Not calibrated:</strong> no rate of false alarms is promised, and the threshold is a default "
            "or not good enough for the rate that was asked for.</p>"
        )
    lines.append(
        "<p>An alert is a reason to look, never a proof: where fakes are rare, most alarms of any detector are "
        "wrong.</p>"
    )
    return f'<section class="warn">{"".join(lines)}</section>'


def _held(alert: Alert) -> list[tuple[str, str]]:
    mean = "" if alert.mean_probability is None else f"{alert.mean_probability:.3f}"
    return [
        ("Verdict", escape(alert.verdict)),
        ("Evidence", f"{alert.evidence:.1f} of {alert.threshold:g}"),
        ("Crops scored", str(alert.samples)),
        ("Mean p(fake)", f"{mean} <span class=quiet>(as the encoder says it, no probability that it is fake)</span>"),
        ("Face first seen", f"{alert.first_seen:%Y-%m-%d %H:%M:%S} UTC"),
        ("Last crop scored", f"{alert.captured_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("Alert", f"number {alert.sequence} of the stream, <code>{escape(alert.alert_id)}</code>"),
    ]


def _judged(alert: Alert, provenance: Provenance, adapter_sha256: str | None) -> list[tuple[str, str]]:
    model = alert.model
    return [
        ("Encoder", escape(model.weights)),
        ("SHA-256 of it", _code(model.sha256)),
        ("Adapter", f"{escape(model.adapter or 'none')} {_code(adapter_sha256)}"),
        ("Engine", f"{escape(model.engine)}, {escape(model.precision)}"),
        ("Calibration", _code(provenance.calibration_sha256) or "none"),
        ("Configuration", _code(provenance.configuration_sha256)),
        ("Software", escape(provenance.software)),
    ]


def _crops(crops: Sequence[ShownCrop]) -> str:
    if not crops:
        return '<p class="quiet">No crop was kept.</p>'
    figures = [
        f'<figure><img alt="The face at {escape(crop.time)}" src="data:image/png;base64,'
        f'{base64.b64encode(crop.png).decode()}"><figcaption>{escape(crop.time)} UTC<br>logit {crop.logit:+.2f}, '
        f"p(fake) {_probability(crop.logit):.3f}<br>quality {crop.quality:.2f}, {crop.width_px:.0f} px wide"
        "</figcaption></figure>"
        for crop in crops
    ]
    return (
        '<p class="quiet">As the encoder saw it. Of each second the crop that spoke loudest for a manipulation; '
        f"other crops may have spoken against it, see above.</p>\n<div class=crops>{''.join(figures)}</div>"
    )


def _clip(clip: ShownClip) -> str:
    if clip.name is None:
        return f"<p>There is none: {escape(clip.absence or 'it was not asked for')}.</p>"
    return (
        f'<p><a href="{escape(clip.name)}">{escape(clip.name)}</a>, in the folder of this page: the last seconds '
        "before the alert as the stream sent them, without sound.</p>"
    )


def _list(rows: Sequence[tuple[str, str]]) -> str:
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{value}</dd>' for name, value in rows)}</dl>"


def _code(sha256: str | None) -> str:
    return "" if sha256 is None else f"<code>{escape(sha256)}</code>"


def _probability(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, logit))))
