"""Secrets of added streams: shown to nobody, and kept where what is sent back has `***` in their place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from monitor.added import FaultyStreamError
from monitor.redact import HIDDEN, Redactor, split_user_part, url_secrets

_AGAIN = "write it out again: what is hidden is kept for the same server alone"


def without_secrets(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a stream, as they may be shown."""
    shown = dict(settings)
    for key in ("url", "detect_url"):
        if isinstance(url := shown.get(key), str):
            shown[key] = hidden(url)
    if shown.get("token") is not None:
        shown["token"] = HIDDEN
    return shown


def hidden(url: str) -> str:
    """A URL without its credentials."""
    return Redactor(url_secrets(url))(url)


def with_secrets(sent: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    """What was sent to take the place of a stream, with the secrets of that one where they were left out or hidden.

    They go to the server that has them, and to no other: else whoever changes an address could have them sent there.

    Args:
        sent: the fields as they came.
        kept: those of the stream as it is, with its secrets.

    Raises:
        FaultyStreamError: something is hidden, and may not be filled in.
    """
    whole = dict(sent)
    before = str(kept.get("url", ""))
    url = whole.get("url")
    if "url" not in whole:
        whole["url"] = before
    elif isinstance(url, str) and HIDDEN in url:
        whole["url"] = _filled_in("url", url, before)
    small = whole.get("detect_url")
    if isinstance(small, str) and HIDDEN in small:
        whole["detect_url"] = _filled_in("detect_url", small, str(kept.get("detect_url") or ""))
    token = kept.get("token")
    if whole.get("token", HIDDEN) == HIDDEN:  # left out, or sent back as it was shown
        asked = "token" in whole
        whole.pop("token", None)
        now = str(whole["url"])
        if asked and token is None:
            raise FaultyStreamError([("token", f"{HIDDEN} stands for one that there is not")])
        if token is not None and _server(now) == _server(before):
            whole["token"] = token
        elif token is not None and now.startswith(("whip", "whep")):
            raise FaultyStreamError([("token", f"{_AGAIN}; null for none")])
    return whole


def _filled_in(field: str, url: str, before: str) -> str:
    if url == hidden(before):
        return before
    start, user_part, rest = split_user_part(url)
    _, secret, _ = split_user_part(before)
    if user_part == HIDDEN and secret and HIDDEN not in rest and _server(url) == _server(before):
        return f"{start}{secret}{rest}"
    raise FaultyStreamError([(field, _AGAIN)])


def _server(url: str) -> tuple[str, str]:
    """Scheme, and host with port; both as they are written."""
    start, user_part, rest = split_user_part(url)
    if not user_part:
        start, _, rest = url.partition("://")
    return start.removesuffix("://").lower(), re.split(r"[/?#]", rest.removeprefix("@"), maxsplit=1)[0].lower()
