"""Logging to standard error: one line per change of state, credentials taken out."""

from __future__ import annotations

import logging
from collections.abc import Collection

from monitor.redact import RedactingFilter, Redactor

_FORMAT = "%(asctime)s %(levelname)-7s %(message)s"


def set_up_logging(*, debug: bool, secrets: Collection[str] = ()) -> None:
    """Sends `monitor` and `gend` logs to standard error, and of other libraries what is a warning or worse.

    Args:
        debug: also show what is not a change of state.
        secrets: configured passwords and tokens, hidden literally wherever they appear.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(_FORMAT, datefmt="%H:%M:%S"))
    handler.addFilter(RedactingFilter(Redactor(secrets)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("monitor", "gend"):
        logging.getLogger(name).setLevel(logging.DEBUG if debug else logging.INFO)
