"""Chromium publishes its fake camera from a page of ours."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from monitor.clock import LiveClock
from monitor.ingest import PacketRing, write_clip
from tests.monitor.ingest.webrtc.watching import Watched
from tests.monitor.web.whip_service import Service
from tests.waiting import wait_until

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: browsers are not tried")

PAGE = """<!doctype html><script>
function drawn() {  // what needs no permission, so that the browser hides its addresses behind names
  const canvas = Object.assign(document.createElement("canvas"), {width: 320, height: 240});
  const pen = canvas.getContext("2d");
  setInterval(() => { pen.fillStyle = `hsl(${Date.now() / 10 % 360} 80% 50%)`; pen.fillRect(0, 0, 320, 240); }, 30);
  return canvas.captureStream(30);
}
async function publish(codec) {
  const media = codec == "canvas" ? drawn()
    : await navigator.mediaDevices.getUserMedia({video: {width: 640, height: 360}, audio: true});
  window.peer = new RTCPeerConnection();
  for (const track of media.getTracks()) {
    const sending = peer.addTransceiver(track, {direction: "sendonly", streams: [media]});
    if (track.kind == "video" && codec && codec != "canvas") {
      const all = RTCRtpSender.getCapabilities("video").codecs;
      sending.setCodecPreferences(all.filter(one => one.mimeType == "video/" + codec));
    }
  }
  await peer.setLocalDescription();
  const answer = await fetch("/whip/call", {method: "POST", body: peer.localDescription.sdp,
    headers: {"Content-Type": "application/sdp"}});
  const text = await answer.text();
  if (answer.status != 201) return [answer.status, JSON.parse(text).detail];
  window.session = answer.headers.get("Location");
  await peer.setRemoteDescription({type: "answer", sdp: text});
  return [answer.status, session];
}
</script>"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
        )
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    with Watched(ring=PacketRing(2, 10**7, LiveClock())) as running:
        yield running


@pytest.fixture(scope="module")
def service(watched: Watched) -> Iterator[Service]:
    running = Service(watched, page=PAGE)
    yield running
    running.stop()


@pytest.fixture
def page(browser: Browser, service: Service) -> Iterator[Page]:
    opened = browser.new_page()
    opened.goto(f"{service.url}/page")
    yield opened
    opened.close()


@pytest.mark.parametrize(("codec", "kept_as"), [("", "vp8"), ("H264", "h264")])
def test_a_page_publishes_and_leaves(page: Page, watched: Watched, tmp_path: Path, codec: str, kept_as: str) -> None:
    status, session = page.evaluate("codec => publish(codec)", codec)
    ring = watched.ring
    assert ring is not None
    assert (status, session[:11]) == (201, "/whip/call/"), session
    frames = watched.wait_for_frames(30)
    watched.wait_for("live")
    wait_until(lambda: watched.frames[-1].trusted)
    assert frames[-1].width / frames[-1].height == pytest.approx(16 / 9, abs=0.1)
    assert watched.reader.codec == kept_as
    assert write_clip(ring.cut(), tmp_path / "clip").stat().st_size > 1000
    assert page.evaluate("() => fetch(session, {method: 'DELETE'}).then(answer => answer.status)") == 200
    watched.wait_for("connecting", "no publisher: the last one has left")


def test_a_page_that_hides_its_addresses_is_received_all_the_same(browser: Browser, service: Service) -> None:
    plain = browser.browser_type.launch(executable_path=CHROMIUM, args=["--no-sandbox"])  # no leave to use a camera
    page = plain.new_page()
    page.goto(f"{service.url}/page")
    assert page.evaluate("() => publish('canvas')")[0] == 201
    wait_until(lambda: ".local " in page.evaluate("() => peer.localDescription.sdp"))
    service.watched.wait_for_frames(10)
    page.evaluate("() => fetch(session, {method: 'DELETE'})")
    plain.close()


@pytest.mark.parametrize("codec", ["VP9", "AV1"])
def test_a_codec_that_cannot_be_decoded_is_refused_with_the_reason(page: Page, codec: str) -> None:
    status, detail = page.evaluate("codec => publish(codec)", codec)
    assert status == 422
    assert "VP8 or H.264 is needed" in detail


def test_a_tab_that_is_closed_is_seen_by_its_silence_and_makes_way(
    browser: Browser, page: Page, watched: Watched, service: Service
) -> None:
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(f"{service.url}/page")
    assert tab.evaluate("() => publish('')")[0] == 201
    watched.wait_for_frames(10)
    watched.wait_for("live")
    assert page.evaluate("() => publish('')")[0] == 409
    context.close()
    wait_until(lambda: watched.statuses[-1].state != "live")
    assert page.evaluate("() => publish('')")[0] == 201
    watched.wait_for("live")
