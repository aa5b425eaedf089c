"""What is promised of each stream, as people look at it, and what they are told to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from monitor.config import MonitorConfig
from monitor.decision import Calibration, Encoder, sampling_policy
from monitor.decision.calibration import QualityCurve, RealPeople, Session, Track
from monitor.parts import load_parts
from tests.monitor.service import RunningService
from tests.monitor.web.dashboard.browsing import a_page, barriers, overflows

STREAMS = [{"name": name, "url": "whip:"} for name in ("enough", "few", "none")]


def calibrations(folder: Path) -> list[dict[str, Any]]:
    """Of forty days, which keep what is asked for, and of five, which do not; the streams that have them."""
    settings = {"streams": STREAMS, "encoder": {"weights": "demo"}, "mqtt": {"url": "embedded:"}}
    config = MonitorConfig.model_validate(settings)
    parts = load_parts(config)
    for name, days in (("enough", 40), ("few", 5)):
        tracks = [Track(peak=number / days, blocks=60, mean=-3, deviation=1) for number in range(days)]
        Calibration(
            made=datetime(2026, 1, 1, tzinfo=UTC),
            software="0",
            encoder=Encoder.of(parts.model),
            policy=sampling_policy(config.faces, parts.face_detector),
            session_hours=24,
            curves=(QualityCurve(least_quality=0, kind="platt", above=1, below=1, offset=0),),
            calibration_error=None,
            correlation_blocks=1,
            population=RealPeople(mean=-3, between=2, noise=4, shift=4),
            sessions=tuple(Session(name=f"day {number}", tracks=(track,)) for number, track in enumerate(tracks)),
        ).write(folder / f"{name}.json")
    own = {name: str(folder / f"{name}.json") for name in ("enough", "few")}
    return [{**stream, **({"calibration": own[stream["name"]]} if stream["name"] in own else {})} for stream in STREAMS]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    config = {
        "streams": calibrations(folder),
        "mqtt": {"url": "embedded:"},
        "decision": {"learning": str(folder / "all.learnt")},
    }
    with RunningService(folder, config) as running:
        yield running


def test_each_stream_says_what_is_promised_and_what_to_do(service: RunningService, browser: Browser) -> None:
    with a_page(browser) as (page, complaints):
        page.goto(f"{service.web_url}/calibration")
        enough, few, none = (page.get_by_role("region", name=stream["name"], exact=True) for stream in STREAMS)
        expect(page.get_by_text("1 of 3 streams calibrated.")).to_be_visible()
        expect(enough.get_by_text("Calibrated", exact=True)).to_be_visible()
        expect(enough).to_contain_text("At most 0.098 false alarms a day are promised: one in 10 days.")
        assert enough.get_by_text("What to do").count() == 0
        expect(few).to_contain_text("At most 0.17 false alarms a day can be promised, not the 0.1 asked for.")
        expect(few).to_contain_text("Calibrate again with 96.0 h more footage of real people")
        expect(few).to_contain_text("false_alarms_per_stream_day: 0.2")
        expect(few).to_contain_text("gend-monitor calibrate --learnt --config monitor.yaml --out few.json")
        expect(none).to_contain_text("Nobody has measured how often a real person raises an alarm here.")
        expect(none).to_contain_text("216 hours at the least")
        expect(none).to_contain_text("gend-monitor calibrate RECORDINGS/ --config monitor.yaml --stream none")
        expect(page.get_by_role("region", name="Learning while watching")).to_contain_text("0 scored pictures")
        assert complaints == []


def test_pictures_are_drawn_and_told(service: RunningService, browser: Browser) -> None:
    with a_page(browser) as (page, complaints):
        page.goto(f"{service.web_url}/calibration")
        few = page.get_by_role("region", name="few", exact=True).locator(".chart")
        expect(few.locator("svg path").first).to_be_attached()
        said = few.get_attribute("aria-label")
        assert said is not None
        assert "at most 0.17 false alarms a day; 0.1 asked for" in said
        all_of_them = page.get_by_role("region", name="All streams").locator(".chart")
        expect(all_of_them).to_have_attribute(
            "aria-label", "False alarms a day that are promised, 0.1 asked for: enough 0.098, few 0.17"
        )
        assert page.get_by_role("region", name="none", exact=True).locator(".chart").count() == 0
        assert complaints == []


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_everybody_can_read_it_also_on_a_phone(service: RunningService, browser: Browser, colours: str) -> None:
    with a_page(browser, width=360, colours="dark" if colours == "dark" else "light") as (page, _):
        page.goto(f"{service.web_url}/calibration")
        expect(page.locator(".chart svg").first).to_be_attached()
        assert barriers(page) == []
        assert not overflows(page)
