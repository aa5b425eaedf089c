"""The page on which files are sent and looked at, as somebody uses it in a browser."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import av
import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from monitor.demo.clip import make_clip
from tests.monitor.service import RunningService
from tests.monitor.web.dashboard.browsing import WAIT_MS, a_page, barriers, overflows
from tests.waiting import wait_until

# The first of them starts a service and has two files scored.
pytestmark = pytest.mark.timeout(400)

VIDEO, PICTURE = "a <b>call<b>.mp4", "people.jpg"
JOB_MS = 2 * WAIT_MS
"""Its process gives way to everything else on the machine."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short call whose first face is not real, and a frame of it."""
    folder = tmp_path_factory.mktemp("files")
    make_clip(folder / VIDEO, seconds=2, manipulated_from_s=0, names=["astronaut", "t1-1"])
    with av.open(folder / VIDEO) as video:
        next(video.decode(video=0)).to_image().save(folder / PICTURE)  # type: ignore[no-untyped-call]
    (folder / "notes.txt").write_text("no picture")
    (folder / "large.png").write_bytes(bytes(3_000_000))
    (folder / "broken.png").write_bytes(b"no picture either")
    return folder


@pytest.fixture(scope="module")
def service(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    config = {
        "streams": [{"name": "call", "url": "whip:"}],
        "mqtt": {"url": "embedded:"},
        "web": {"port": 0, "upload_mb": 2},
    }
    with RunningService(tmp_path_factory.mktemp("service"), config) as running:
        yield running


@pytest.fixture(scope="module")
def scored(service: RunningService, browser: Browser, files: Path) -> str:
    """A video and a picture were sent by the page itself; the id of the video's job."""
    with a_page(browser) as (page, complaints):
        page.goto(f"{service.web_url}/score")
        page.get_by_label(re.compile("Drop pictures or videos here")).set_input_files(
            [files / VIDEO, files / PICTURE, files / "notes.txt", files / "large.png"]
        )
        chosen = page.locator("#chosen li")
        expect(chosen).to_have_count(4)
        expect(chosen.nth(2)).to_contain_text("neither a picture nor a video")
        expect(chosen.nth(3)).to_contain_text("too large: 3.0 MB, at most 2.0 MB are taken")
        page.get_by_label("Frames of a video").fill("6")
        page.get_by_role("button", name="Score 2 files").click()
        expect(page.locator("#said")).to_have_text("2 files sent.")
        expect(sent(page, VIDEO)).to_contain_text(re.compile("waits|begins|frame|done"))
        expect(sent(page, PICTURE)).to_contain_text("done: mean p(fake)", timeout=JOB_MS)
        expect(page.locator(".result h2")).to_have_text(VIDEO)
        expect(page.locator(".result .judged")).to_be_visible()
        assert complaints == []
    jobs = httpx.get(f"{service.web_url}/api/v1/scores").json()["items"]
    return str(next(job["id"] for job in jobs if job["file"] == VIDEO))


def sent(page: Page, file: str) -> Locator:
    return page.locator(".sent li").filter(has_text=file)


def test_result_is_told_in_words_pictures_and_numbers(service: RunningService, browser: Browser, scored: str) -> None:
    with a_page(browser) as (page, complaints):
        page.goto(f"{service.web_url}/score?job={scored}")
        expect(page.locator(".judged.fake .title")).to_have_text("1 of 2 faces looks manipulated")
        expect(page.locator(".hint")).to_contain_text("no false-alarm rate is promised")
        expect(page.locator(".figures")).to_contain_text("Median p(fake)")
        shots = page.locator(".shot")
        expect(shots).to_have_count(6)
        expect(shots.first.locator("g.fake rect")).to_have_count(1)
        expect(shots.first.locator("g.clear rect")).to_have_count(1)
        expect(shots.first.locator("figcaption")).to_have_text(
            re.compile(r"0:00\.0\s+face 1: [01]\.\d\d, above; face 2: 0\.\d\d, below")
        )
        image = shots.first.locator("img")
        expect(image).to_have_js_property("complete", True)
        assert image.evaluate("image => image.naturalWidth") > 100
        expect(page.get_by_role("img", name=re.compile("p.fake. over time of 2 faces")).locator("svg")).to_be_visible()
        expect(page.get_by_role("region", name="Each face over the file").locator("tbody tr")).to_have_count(2)
        video = page.locator("video.annotated")
        expect(video).to_have_js_property("error", None)
        assert complaints == []


def test_threshold_is_moved_without_scoring_anew(service: RunningService, browser: Browser, scored: str) -> None:
    with a_page(browser) as (page, _):
        page.goto(f"{service.web_url}/score?job={scored}")
        expect(page.locator(".judged.fake")).to_be_visible()
        slider = page.get_by_label("Threshold on p(fake)", exact=True)
        slider.focus()
        page.keyboard.press("End")
        expect(page.locator(".judged.clear .title")).to_have_text("No sign of manipulation")
        expect(page.locator(".shot g.fake")).to_have_count(0)
        expect(page.locator(".shot figcaption").first).not_to_contain_text("above")
        expect(page.locator(".curve")).to_contain_text("threshold 1.00")
        page.keyboard.press("Home")
        expect(page.locator(".judged.fake .title")).to_have_text("2 of 2 faces look manipulated")
    assert len(httpx.get(f"{service.web_url}/api/v1/scores").json()["items"]) >= 2


def test_what_came_out_can_be_kept(service: RunningService, browser: Browser, scored: str) -> None:
    with a_page(browser) as (page, _):
        page.goto(f"{service.web_url}/score?job={scored}")
        kept = {}
        for words in ("JSON", "CSV", "Annotated video"):
            with page.expect_download() as download:
                page.locator(".downloads").get_by_role("link", name=words).click()
            kept[download.value.suggested_filename] = Path(download.value.path()).read_bytes()
    names = sorted(kept)
    assert [name.rpartition(".")[2] for name in names] == ["mp4", "csv", "json"]
    told = json.loads(kept[names[2]])
    assert (told["path"], told["frames"], len(told["tracks"])) == (VIDEO, 6, 2)
    rows = list(csv.DictReader(io.StringIO(kept[names[1]].decode())))
    assert [float(row["p_fake"]) for row in rows] == pytest.approx(
        [face["p_fake"] for face in told["details"]], abs=1e-5
    )
    with av.open(io.BytesIO(kept[names[0]]), "r") as copy:
        assert len(list(copy.decode(video=0))) == 30


def test_jobs_are_there_after_a_reload_and_go_when_removed(
    service: RunningService, browser: Browser, files: Path, scored: str
) -> None:
    with a_page(browser) as (page, _):
        page.goto(f"{service.web_url}/score")
        page.get_by_label(re.compile("Drop pictures or videos here")).set_input_files([files / "broken.png"])
        page.get_by_role("button", name="Score 1 file").click()
        expect(sent(page, "broken.png")).to_contain_text("failed: cannot read it as a picture", timeout=JOB_MS)
        page.reload()
        expect(page.locator(".sent li")).to_have_count(3)
        page.get_by_role("button", name=PICTURE, exact=True).click()
        expect(page.locator(".result h2")).to_have_text(PICTURE)
        expect(page.locator(".shots.single img")).to_be_visible()
        expect(page.locator(".curve")).to_have_count(0)
        page.get_by_role("button", name="Remove broken.png").click()
        expect(page.locator(".sent li")).to_have_count(2)


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_everybody_can_read_it_also_on_a_phone(
    service: RunningService, browser: Browser, scored: str, colours: str
) -> None:
    with a_page(browser, width=360, colours="dark" if colours == "dark" else "light") as (page, _):
        page.goto(f"{service.web_url}/score?job={scored}")
        expect(page.locator("body")).to_have_class(re.compile(f"body--{colours}"))
        expect(page.locator(".curve svg")).to_be_visible()
        page.locator("details.every summary").click()
        assert barriers(page) == []
        assert not overflows(page)


def test_a_job_can_be_cancelled(service: RunningService, browser: Browser, files: Path, scored: str) -> None:
    address = f"{service.web_url}/api/v1/scores"
    for _ in range(2):  # the one behind the other waits for sure
        httpx.post(address, files={"file": ("again.mp4", (files / VIDEO).read_bytes())}).raise_for_status()
    with a_page(browser) as (page, _):
        page.goto(f"{service.web_url}/score")
        expect(sent(page, "again.mp4")).to_have_count(2)
        page.get_by_role("button", name="Cancel again.mp4").first.click()
        expect(sent(page, "again.mp4")).to_have_count(1)
    (left,) = [job for job in httpx.get(address).json()["items"] if job["file"] == "again.mp4"]
    httpx.delete(f"{address}/{left['id']}")
    wait_until(lambda: len(httpx.get(address).json()["items"]) == 2)
