// The page on which a call is shared, and what is seen of it is shown.

import { Faces, summaryRow } from "./faces.js";
import { Lasting } from "./lasting.js";
import { refused } from "./whip.js";
import { secondsInWords } from "./words.js";

const STATES = {
  connecting: "Connecting…",
  live: "Watching",
  stalled: "No picture arrives. Is the window minimised, or the connection lost?",
  stopped: "Stopped",
};
const LOST = "The connection was lost. Trying again…";
const LISTEN_AGAIN_MS = 2000;
const CALL_BEGINS_MS = 20000;

const element = (id) => document.getElementById(id);
const said = (name) => document.querySelector(`meta[name=${name}]`).content;
const main = document.querySelector("main");
const stream = said("stream");
let sharing = null; // { media, link, events, told, faces, beganMs }, told: what was last said of the stream

element("server").textContent = location.host;
const canShareWindows = navigator.mediaDevices?.getDisplayMedia !== undefined;
const canUseCamera = navigator.mediaDevices?.getUserMedia !== undefined;
element("window").hidden = !canShareWindows;
element("camera").hidden = !canUseCamera;
if (!canUseCamera) fail("This browser gives pages no camera and no window here. Pages need HTTPS, or localhost.");

function heedConsent() {
  element("window").disabled = element("camera").disabled = !element("consent").checked;
}

element("consent").addEventListener("change", heedConsent);
heedConsent(); // it may have been ticked while this script was on its way
element("window").addEventListener("click", () =>
  begin(() => navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 30 } }, audio: false })),
);
element("camera").addEventListener("click", () =>
  begin(() => navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, height: { ideal: 720 } }, audio: false })),
);
element("stop").addEventListener("click", () => end());
element("again").addEventListener("click", () => {
  show("begin");
  element("consent").focus();
});
window.addEventListener("pagehide", () => sharing?.link.close());

function show(...sections) {
  for (const section of document.querySelectorAll("main > section")) section.hidden = !sections.includes(section.id);
  main.classList.toggle("sharing", sections.includes("live"));
}

function fail(text) {
  element("failure").textContent = text;
  element("failure").hidden = text === "";
}

function say(text) {
  element("state").textContent = text;
}

async function begin(choose) {
  fail("");
  let media;
  try {
    media = await choose();
  } catch (error) {
    fail(error.name === "NotAllowedError" ? "Nothing was shared: the browser did not allow it." : `Nothing can be shared: ${error.message}`);
    return;
  }
  try {
    await share(media);
  } catch (error) {
    for (const track of media.getTracks()) track.stop();
    sharing?.events?.close();
    sharing?.link.close();
    sharing = null;
    show("begin");
    say("Nothing is shared.");
    fail(`The call cannot be watched: ${error.message}`);
  }
}

async function share(media) {
  say(STATES.connecting);
  const faces = new Faces(element("outlines"), element("faces"), element("nobody"));
  const call = { media, faces, events: null, told: STATES.connecting, beganMs: performance.now() };
  call.link = new Lasting(media, place, {
    published: (name) => listen(call, name),
    connected: () => say(call.told),
    disconnected: () => say(STATES.stalled),
    lost: () => {
      call.events?.close();
      call.events = null;
      call.told = STATES.connecting;
      element("outlines").replaceChildren(); // the faces move on, and nobody follows them
      say(LOST);
    },
    over: end,
  });
  sharing = call;
  element("video").srcObject = media;
  for (const track of media.getVideoTracks()) track.addEventListener("ended", () => end());
  show("live", "people");
  await call.link.open();
}

// Where to publish to: the stream itself, or, where each caller gets one of their own, that one.
async function place() {
  const headers = { "X-CSRF-Token": said("csrf") };
  if (said("calls") !== "many") return { name: stream, url: `/whip/${stream}`, headers, own: false };
  const signal = AbortSignal.timeout(CALL_BEGINS_MS);
  const answer = await fetch(`/api/v1/streams/${stream}/calls`, { method: "POST", headers, signal });
  if (answer.status !== 201) throw await refused(answer);
  const { name, whip_url: url, token } = await answer.json();
  return { name, url, headers: { ...headers, Authorization: `Bearer ${token}` }, own: true };
}

function listen(call, name) {
  call.events?.close();
  const events = new EventSource(`/api/v1/streams/${name}/faces`);
  call.events = events;
  events.addEventListener("faces", ({ data }) => call.faces.show(JSON.parse(data)));
  events.addEventListener("status", ({ data }) => {
    const { state, degraded } = JSON.parse(data);
    call.told = [STATES[state] ?? state, ...degraded].join(" · ");
    say(call.told);
  });
  // After a cut browsers ask again by themselves, but for some errors.
  events.addEventListener("error", () => {
    if (events.readyState !== EventSource.CLOSED) return;
    setTimeout(() => {
      if (sharing === call && call.events === events) listen(call, name);
    }, LISTEN_AGAIN_MS);
  });
}

function end(why = "") {
  if (sharing === null) return;
  const { media, link, events, faces, beganMs } = sharing;
  sharing = null;
  events?.close();
  link.close();
  for (const track of media.getTracks()) track.stop();
  element("video").srcObject = null;
  const rows = faces.summary();
  const lasted = secondsInWords((performance.now() - beganMs) / 1000);
  const seen = rows.length === 1 ? "1 face was" : `${rows.length} faces were`;
  element("summary-text").textContent = `${why} The call was watched for ${lasted}; ${seen} seen.`.trim();
  element("summary-table").hidden = rows.length === 0;
  element("summary-table").tBodies[0].replaceChildren(...rows.map(summaryRow));
  say(STATES.stopped);
  show("summary");
  element("summary-title").focus?.();
}
