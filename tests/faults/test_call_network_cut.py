"""The network is cut under a call that somebody shares by its page: a real Chromium at the other end of a cable."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Response, expect, sync_playwright

from monitor.demo.clip import make_clip
from tests.broker import make_certificates
from tests.faults.cable import Cable
from tests.faults.table import FaultTable
from tests.monitor.access.cheap import PASSWORD
from tests.monitor.service import SERVICE, RunningService
from tests.monitor.web.test_call_browser import camera_of
from tests.waiting import PATIENCE_S, wait_until

_WAIT_MS = PATIENCE_S * 1000


@pytest.fixture(scope="module")
def cable() -> Iterator[Cable]:
    with Cable() as cable:
        yield cable


@pytest.fixture(scope="module")
def service(cable: Cable, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    certificates = make_certificates(folder / "certificates")
    config = {
        "streams": [
            *({"name": name, "url": "whip:"} for name in ("call", "spare", "other")),
            {"name": "desk", "url": "whip:", "sessions": "many"},
        ],
        "webrtc": {"call_lost_s": 600},  # no call of a slow machine's ends before it is shared again
        "mqtt": {"url": "embedded:"},
        "faces": {"min_face_px": 60},
        "web": {
            "host": cable.here,
            "port": 0,
            "auth": "users",
            "tls_cert": str(certificates.server),
            "tls_key": str(certificates.server_key),
        },
    }
    with RunningService(folder, config) as running:
        command = [*SERVICE, "user", "add", str(running.path), "anna", "--role", "operator", "--password-stdin"]
        subprocess.run(command, input=PASSWORD, text=True, check=True, capture_output=True, timeout=60)
        yield running


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("camera")
    make_clip(folder / "call.mp4", seconds=9, manipulated_from_s=0, names=["astronaut"])
    return camera_of(folder / "call.mp4", folder / "call.y4m")


@pytest.fixture
def context(cable: Cable, service: RunningService, camera: Path, tmp_path: Path) -> Iterator[BrowserContext]:
    """Anna's browser, for each test a new one: for seconds after a cut a browser gives up pages that it loads."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    arguments = [
        "--no-sandbox",
        "--ignore-certificate-errors",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
    ]
    program = cable.far(chromium, tmp_path)
    with sync_playwright() as tool, tool.chromium.launch(executable_path=program, args=arguments) as browser:
        context = browser.new_context(ignore_https_errors=True)
        context.set_default_timeout(_WAIT_MS)
        page = context.new_page()
        page.goto(f"{service.web_url}/call")
        page.get_by_label("User name").fill("anna")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{service.web_url}/call")
        page.close()
        yield context


class Caller:
    """Somebody who shares a call on the page of a stream.

    Attributes:
        sessions: what they have published, as addresses, one after the other.
    """

    def __init__(self, context: BrowserContext, service: RunningService, stream: str) -> None:
        self._url = service.web_url
        self.sessions: list[str] = []
        self.page = context.new_page()
        self.page.on("response", self._note)
        self.page.goto(f"{self._url}/call/{stream}")
        self.page.get_by_label("I may share this call").check()
        self.page.get_by_role("button", name="Use a camera").click()
        self.sees("Watching")

    @property
    def stream(self) -> str:
        """What they publish to: where each has a stream of their own, that one."""
        return self.sessions[-1].split("/")[-2]

    def _note(self, response: Response) -> None:
        if "/whip/" in response.url and response.status == 201:
            self.sessions.append(self._url + response.headers["location"])

    def sees(self, state: str) -> None:
        """Waits until the page says how it stands."""
        expect(self.page.locator("#state")).to_contain_text(re.compile(state), timeout=_WAIT_MS)

    def stop(self) -> None:
        self.page.get_by_role("button", name="Stop").click()
        expect(self.page.locator("#summary-text")).to_contain_text("The call was watched for")

    def is_in_state(self, state: str) -> bool:
        """Whether the service says so of the stream. It is asked from here, which no cut of the cable hinders."""
        answer = self.page.request.get(f"{self._url}/api/v1/streams/{self.stream}")
        return answer.ok and answer.json()["status"]["state"] == state

    def has_gone(self) -> bool:
        """Whether the service knows nothing of the call any more."""
        return self.page.request.get(f"{self._url}/api/v1/streams/{self.stream}").status == 404


def test_after_a_short_cut_the_call_goes_on(
    context: BrowserContext, service: RunningService, cable: Cable, faults: FaultTable
) -> None:
    caller = Caller(context, service, "call")
    cable.pull()
    wait_until(lambda: caller.is_in_state("stalled"))
    caller.sees("No picture arrives|The connection was lost")
    cable.plug_in()
    with faults.recovery("network cut under a shared call for some seconds", "stalled; the page: No picture arrives"):
        wait_until(lambda: caller.is_in_state("live"))
        caller.sees("Watching")
    caller.stop()


@pytest.mark.long
def test_after_a_long_cut_calls_are_published_again_by_themselves(
    context: BrowserContext, service: RunningService, cable: Cable, faults: FaultTable
) -> None:
    caller, guest, late = (Caller(context, service, stream) for stream in ("call", "desk", "desk"))
    browser = context.browser
    assert browser is not None
    hasty = browser.new_context(ignore_https_errors=True, storage_state=context.storage_state())
    hasty.clock.install()
    impatient, stubborn = Caller(context, service, "spare"), Caller(hasty, service, "other")
    expect(caller.page.locator("#faces li").first).to_contain_text("Likely manipulated", timeout=_WAIT_MS)
    calls = [guest.stream, late.stream]

    cable.pull()
    csrf = late.page.locator("meta[name=csrf]").get_attribute("content") or ""
    assert late.page.request.delete(late.sessions[-1], headers={"X-CSRF-Token": csrf}).ok  # the call ends meanwhile
    wait_until(late.has_gone)
    wait_until(lambda: caller.is_in_state("stalled") or caller.is_in_state("connecting"))
    for each in (caller, guest, late, impatient, stubborn):
        each.sees("The connection was lost. Trying again")
    impatient.stop()
    hasty.clock.fast_forward(121_000)
    expect(stubborn.page.locator("#summary-text")).to_contain_text("The connection was lost. The call was watched for")

    cable.plug_in()
    with faults.recovery("network cut under shared calls until they are lost", "the page: Trying again"):
        for each in (caller, guest, late):
            each.sees("Watching")
        wait_until(lambda: all(each.is_in_state("live") for each in (caller, guest, late)))
    assert [len(each.sessions) for each in (impatient, stubborn)] == [1, 1]
    assert guest.stream == calls[0]
    assert late.stream not in calls
    # What was seen before is still there, and faces are followed as before.
    faces = caller.page.locator("#faces li")
    expect(faces.nth(1)).to_contain_text("Face 2", timeout=_WAIT_MS)
    expect(faces.first).to_contain_text("Likely manipulated")
    caller.stop()
    expect(caller.page.locator("#summary-table tbody tr").nth(1)).to_contain_text("Face 2")
