"""Takes credentials out of text before anyone sees it. Every log line, status and error passes here."""

from __future__ import annotations

import re

_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/\s'\"]*@")
_SECRET_PARAMETER = re.compile(
    r"(?P<name>[?&;](?:[a-z0-9_-]*(?:pass(?:word|wd|phrase)?|pwd|token|secret|key|auth|sig(?:nature)?|user(?:name)?))=)[^&;\s'\"]+",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """The text with the user part of URLs and secret-looking query parameters replaced by `***`."""
    text = _USERINFO.sub(r"\g<scheme>***@", text)
    return _SECRET_PARAMETER.sub(r"\g<name>***", text)
