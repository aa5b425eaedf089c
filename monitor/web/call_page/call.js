// The page on which a call is shared, and what is seen of it is shown.

import { Faces, summaryRow } from "./faces.js";
import { Publisher, problem } from "./whip.js";
import { secondsInWords } from "./words.js";

const STATES = {
  connecting: "Connecting…",
  live: "Watching",
  stalled: "No picture arrives. Is the window minimised, or the connection lost?",
  stopped: "Stopped",
};

const element = (id) => document.getElementById(id);
const said = (name) => document.querySelector(`meta[name=${name}]`).content;
const main = document.querySelector("main");
const stream = said("stream");
let sharing = null; // { media, publisher, events, faces, beganMs }

element("server").textContent = location.host;
const canShareWindows = navigator.mediaDevices?.getDisplayMedia !== undefined;
const canUseCamera = navigator.mediaDevices?.getUserMedia !== undefined;
element("window").hidden = !canShareWindows;
element("camera").hidden = !canUseCamera;
if (!canUseCamera) fail("This browser gives pages no camera and no window here. Pages need HTTPS, or localhost.");

element("consent").addEventListener("change", ({ target }) => {
  element("window").disabled = element("camera").disabled = !target.checked;
});
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
window.addEventListener("pagehide", () => sharing?.publisher.stop());

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
    sharing?.publisher.stop();
    sharing = null;
    show("begin");
    say("Nothing is shared.");
    fail(`The call cannot be watched: ${error.message}`);
  }
}

async function share(media) {
  say(STATES.connecting);
  const faces = new Faces(element("outlines"), element("faces"), element("nobody"));
  const watched = await place();
  const publisher = new Publisher(watched.url, watched.headers, (state) => {
    if (state === "failed") end("The connection was lost.");
  });
  sharing = { media, publisher, events: null, faces, beganMs: performance.now() };
  element("video").srcObject = media;
  for (const track of media.getVideoTracks()) track.addEventListener("ended", () => end());
  show("live", "people");
  await publisher.publish(media);
  if (sharing !== null) sharing.events = listen(watched.name, faces);
}

// Where to publish to: the stream itself, or, where each caller gets one of their own, that one.
async function place() {
  const headers = { "X-CSRF-Token": said("csrf") };
  if (said("calls") !== "many") return { name: stream, url: `/whip/${stream}`, headers };
  const answer = await fetch(`/api/v1/streams/${stream}/calls`, { method: "POST", headers });
  if (answer.status !== 201) throw new Error(await problem(answer));
  const { name, whip_url: url, token } = await answer.json();
  return { name, url, headers: { ...headers, Authorization: `Bearer ${token}` } };
}

function listen(name, faces) {
  const events = new EventSource(`/api/v1/streams/${name}/faces`);
  events.addEventListener("faces", ({ data }) => faces.show(JSON.parse(data)));
  events.addEventListener("status", ({ data }) => {
    const { state, degraded } = JSON.parse(data);
    say([STATES[state] ?? state, ...degraded].join(" · "));
  });
  return events;
}

function end(why = "") {
  if (sharing === null) return;
  const { media, publisher, events, faces, beganMs } = sharing;
  sharing = null;
  events?.close();
  publisher.stop();
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
