"""Takes credentials out of text before anyone sees it: every log line, status and error passes here.

Two means, because neither is enough alone. Patterns find what looks like a credential wherever it comes from
(FFmpeg's messages quote URLs, requests and headers). Literals find the secrets of this configuration in any
spelling, also where nothing around them looks like a URL. Where the two readings of a text differ, more is
hidden rather than less: a lost host name can be looked up in the configuration, a leaked password cannot be
taken back.
"""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, quote, quote_plus, unquote

HIDDEN = "***"
MIN_LITERAL = 4
"""Shorter secrets would take ordinary letters out of every line; patterns alone must find them."""

# A colon that is followed by something else than a port belongs to a password.
_NOT_A_PORT = r":(?!\d{1,5}(?![\w%]))"
_PATTERNS = (
    # Passwords with blanks or quotes: from `//user:` to the last @ of the line.
    (re.compile(rf"//[^\s/@:'\"\[]*{_NOT_A_PORT}[^\n]*@"), f"//{HIDDEN}@"),
    # The user part of a URL, which may itself hold @, / and #: to the last @ of the word.
    (re.compile(r"//[^\s'\"]*@"), f"//{HIDDEN}@"),
    # A URL that was cut off before its @.
    (re.compile(rf"//[^\s/@:'\"\[]*{_NOT_A_PORT}[^\s'\"]+"), f"//{HIDDEN}"),
    # A user part whose scheme was cut off.
    (re.compile(r"(?<![^\s/:@'\"=(\[])[^\s/:@'\"=(\[]+:(?!//)[^\s'\"]*@"), f"{HIDDEN}@"),
    # A URL inside another one's query.
    (re.compile(r"%3A%2F%2F[^\s'\"&]*%40", re.IGNORECASE), f"%3A%2F%2F{HIDDEN}%40"),
    # Secret-looking parameters, in queries and in the paths of cameras (`/user=admin_password=…`).
    (
        re.compile(
            r"((?:pass(?:word|wd|phrase|code)?|pwd|token|secret|key|auth|credentials?|sig(?:nature)?|user(?:name)?)=)"
            r"[^&;\s'\"]+",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"((?:Authorization|Cookie)['\"]?\s*[:=]\s*)[^\r\n]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"(\bBearer\s+)\S+", re.IGNORECASE), rf"\1{HIDDEN}"),
)
_SECRET_PARAMETER = re.compile(r"pass|pwd|token|secret|key|auth|credential|sig", re.IGNORECASE)


class Redactor:
    """Hides credentials in text.

    Args:
        secrets: passwords and tokens that are known literally; hidden in plain, percent-encoded and escaped
            spelling. Those shorter than `MIN_LITERAL` are left to the patterns.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        spellings = {spelling for secret in secrets for spelling in _spellings(secret)}
        literals = sorted((text for text in spellings if len(text) >= MIN_LITERAL), key=len, reverse=True)
        self._literals = re.compile("|".join(map(re.escape, literals))) if literals else None

    def __call__(self, text: str) -> str:
        """The text with every credential replaced by `***`."""
        if self._literals is not None:
            text = self._literals.sub(HIDDEN, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text


def redact(text: str) -> str:
    """The text with everything that looks like a credential replaced by `***`."""
    return Redactor()(text)


def one_line(error: Exception) -> str:
    """What is said of an exception where a person reads it: its type and the first line of its text, redacted."""
    return redact(f"{type(error).__name__}: {error}").splitlines()[0]


class RedactingFilter(logging.Filter):
    """Redacts whole log records, tracebacks included. Belongs on handlers: loggers do not filter their children's."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrites the record in place; never drops it."""
        record.msg = self._redactor(record.getMessage())
        record.args = None
        if record.exc_info:
            record.exc_text = self._redactor(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        elif record.exc_text:  # of another process
            record.exc_text = self._redactor(record.exc_text)
        if isinstance(stream := record.__dict__.get("stream"), str):  # a field of its own, as JSON
            record.__dict__["stream"] = self._redactor(stream)
        if record.stack_info:
            record.stack_info = self._redactor(record.stack_info)
        return True


def split_user_part(url: str) -> tuple[str, str, str]:
    """Cuts a URL into what stands before, in, and after its user part (`rtsp://`, `user:password`, `@host/…`).

    As RFC 3986 section 3.2 reads it, and beyond: where the text before the first slash ends in something that
    cannot be a port, an unescaped `/`, `?` or `#` of a password is assumed to have come in between. The second
    and third part are empty where there are no credentials.
    """
    scheme, separator, rest = url.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        user_part = authority.rpartition("@")[0]
    elif re.match(rf"[^:\[]*{_NOT_A_PORT}", authority):
        user_part = rest.rpartition("@")[0]
    else:
        user_part = ""
    if not separator or not user_part:
        return url, "", ""
    return f"{scheme}://", user_part, rest[len(user_part) :]


def url_secrets(url: str) -> tuple[str, ...]:
    """What a `Redactor` should know of a URL: its password, its Basic authorization and its secret parameters."""
    _, user_part, _ = split_user_part(url)
    # Where an @ stands in the path, the password may reach farther than the URL's grammar says.
    widest = url.partition("://")[2].rpartition("@")[0]
    found = [part.partition(":")[2] for part in (user_part, widest)]
    if user_part:
        found += [base64.b64encode(text.encode()).decode() for text in (user_part, unquote(user_part))]
    found += [value for name, value in parse_qsl(url.partition("?")[2]) if _SECRET_PARAMETER.search(name)]
    return tuple(dict.fromkeys(secret for secret in found if secret))


def _spellings(secret: str) -> set[str]:
    """The forms in which one secret may turn up in a message."""
    plain = {secret, unquote(secret)}
    encoded = {spell for text in plain for spell in (quote(text), quote(text, safe=""), quote_plus(text))}
    lower = {re.sub(r"%[0-9A-F]{2}", lambda code: code.group().lower(), text) for text in encoded}
    escaped = {
        spell
        for text in plain
        for spell in (json.dumps(text)[1:-1], repr(text)[1:-1], text.encode("ascii", "backslashreplace").decode())
    }
    return plain | encoded | lower | escaped
