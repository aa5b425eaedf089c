"""Models and pictures that are not the project's to ship: from the test assets, else fetched, else a visible skip."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

from gend.errors import FetchError
from gend.fetch import fetch


def offer_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the product find the assets' models, as a user's `GEND_MODELS` would."""
    assets = os.environ.get("GEND_TEST_ASSETS")
    if assets:
        own = os.environ.get("GEND_MODELS", "")
        monkeypatch.setenv("GEND_MODELS", os.pathsep.join(filter(None, [own, str(Path(assets) / "models")])))


def fetched(name: str) -> Path:
    """A file of the catalogue."""
    found = _attempt(name)
    if isinstance(found, FetchError):
        pytest.skip(str(found))
    return found


@cache  # a network that does not answer is waited for once
def _attempt(name: str) -> Path | FetchError:
    try:
        return fetch(name)
    except FetchError as error:
        return error
