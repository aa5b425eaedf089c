"""The chart is drawn when there is something new to draw."""

from __future__ import annotations

from typing import Any

import pytest
from nicegui import Client, ui

from monitor.actions.recent import RecentView
from monitor.recent import EvidencePoint, RecentTrack
from monitor.web.dashboard.evidence_chart import EvidenceChart


def view(now_s: float, *points_s: float) -> RecentView:
    points = tuple(EvidencePoint(at_s, 3.0, 6.0) for at_s in points_s)
    return RecentView(now_s, [RecentTrack("1", "suspect", False, (), points)] if points else [])


@pytest.mark.anyio
async def test_it_is_drawn_again_only_where_something_is_new_or_has_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[float] = []

    def update(chart: Any) -> None:
        drawn.append(chart.options["xAxis"]["min"])

    with Client(ui.page("/chart")):
        chart = EvidenceChart()
        monkeypatch.setattr(ui.echart, "update", update)

        def draws(seen: RecentView) -> bool:
            before = len(drawn)
            chart.show(seen)
            return len(drawn) > before

        assert draws(view(100))  # that there is none
        assert not draws(view(900))
        assert draws(view(1000, 999))
        assert not draws(view(1002, 999))
        assert draws(view(1004, 999, 1003))
        assert not draws(view(1013, 999, 1003))
        assert draws(view(1014, 999, 1003))  # further from now by as much as is seen
        assert draws(view(1700))  # forgotten
