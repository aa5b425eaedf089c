"""What was kept of an alert: clip, the face as the encoder saw it, how the evidence went, and whether all is whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from monitor.access import Principal
from monitor.actions import Actions, NotFoundError
from monitor.actions.evidence import PackageView
from monitor.calibration_summary import count
from monitor.evidence import Verified
from monitor.store import Episode
from monitor.web.dashboard.texts import card, link, part, text

_SOON = timedelta(minutes=1)
"""A package is written a moment after its alert."""
_CLIPS = (".mp4", ".mkv")


class AlertEvidence:
    """The section.

    Args:
        actions: what knows of packages.
        episode: the alert.
    """

    def __init__(self, actions: Actions, episode: Episode) -> None:
        self._actions = actions
        self._alert_id, self._raised_at = episode.alert_id, episode.raised.at
        self._shown: list[str] | None = None
        with card("Evidence"):
            self._holder = part("div")

    async def look(self, principal: Principal) -> bool:
        """Shows what there is now.

        Returns:
            Whether there may be more in a moment.
        """
        packages = await self._actions.evidence.packages(principal, self._alert_id)
        names = [package.name for package in packages]
        soon = not packages and datetime.now(UTC) - self._raised_at < _SOON
        if names != self._shown or not (packages or soon):
            self._shown = names
            self._holder.clear()
            with self._holder:
                if not packages:
                    _none(soon=soon)
                for package in packages:
                    await self._package(principal, package)
        return soon

    async def _package(self, principal: Principal, package: PackageView) -> None:
        try:
            verified = await self._actions.evidence.verification(principal, package.stream, package.name)
        except NotFoundError:  # it was too old, this moment
            _none(soon=False)
            return
        base = f"/api/v1/evidence/{quote(package.stream)}/{quote(package.name)}"
        _whole(verified)
        _shown(package, f"{base}/files")
        with part("p", "ways-on"):
            link("Take all of it (ZIP)", f"{base}/archive", saved=True)
            if "index.html" in package.files:
                link("Its own page", f"{base}/files/index.html").props('target="_blank" rel="noopener"')
        _files(package, f"{base}/files")


def _none(*, soon: bool) -> None:
    if soon:
        text("p", "Nothing is here yet. What is kept of an alert is written a moment after it.", "quiet").props(
            'role="status"'
        )
    else:
        text(
            "p", "No evidence is kept of this alert: the configuration asks for none, or it has grown too old.", "quiet"
        )


def _whole(verified: Verified) -> None:
    with part("div", "seal whole" if verified.intact else "seal broken"):
        if verified.intact:
            text("strong", "Intact")
            text("span", f": every file is as this service has signed it (key {(verified.signer or '')[:16]}…).")
        else:
            text("strong", "Not as it was signed")
            text("span", ". It has been changed, or another key has signed it.")
            with part("ul"):
                for fault in verified.faults:
                    text("li", f"{fault.file}: {fault.what}")


def _shown(package: PackageView, files: str) -> None:
    clip = next((name for name in package.files if name.startswith("clip.") and name.endswith(_CLIPS)), None)
    if clip is not None:
        video = part("video", "clip", src=f"{files}/{clip}", aria_label="The last seconds before the alert")
        video.props("controls muted playsinline preload=metadata")
        text("p", "The last seconds before the alert, without sound.", "quiet small")
    crops = sorted(name for name in package.files if name.startswith("crops/") and name.endswith(".png"))
    if crops:
        with part("ul", "faces", aria_label="The face as the encoder saw it"):
            for number, name in enumerate(crops, start=1):
                with part("li"):
                    part("img", src=f"{files}/{quote(name)}", alt=f"Face, picture {number}", loading="lazy")
        text("p", "The face as the encoder saw it.", "quiet small")
    if "timeline.svg" in package.files:
        # It does not fit on a phone so that it can be read: there it is moved within its own frame.
        with part(
            "div", "plot", tabindex="0", role="group", aria_label="How the evidence grew, a picture that can be moved"
        ):
            part("img", src=f"{files}/timeline.svg", alt="The evidence over time against its threshold, and each logit")


def _files(package: PackageView, files: str) -> None:
    with part("details", "package"):
        text("summary", count(len(package.files), "file"))
        with part("ul"):
            for name, entry in sorted(package.files.items()):
                with part("li"):
                    link(name, f"{files}/{quote(name)}", saved=True)
                    text("span", f" {_size(entry.bytes)}, SHA-256 ", "quiet small")
                    text("code", entry.sha256, "small")


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"
