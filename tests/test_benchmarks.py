"""That benchmarks which reach into the service find there what they reach for."""

from __future__ import annotations

from pathlib import Path

from benchmarks.traced_service import TracedFaces, traced
from monitor import service


def test_the_traced_service_finds_what_it_replaces(tmp_path: Path) -> None:
    plain = vars(service)["RecentFaces"]
    with traced(tmp_path / "trace"):
        assert isinstance(vars(service)["RecentFaces"](), TracedFaces)
    assert vars(service)["RecentFaces"] is plain
