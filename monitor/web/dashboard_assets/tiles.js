// A stream as the board and its own page show it: the picture with an outline of each face, how it is, what is held.

import { outline } from "/assets/call/outline.js";

const SVG = "http://www.w3.org/2000/svg";
const STATES = { connecting: "connecting", live: "live", stalled: "stalled", stopped: "stopped" };
const RANK = ["clear", "inconclusive", "suspect", "fake"];

export function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

// The face that speaks loudest for an alert; undefined where there is none.
export function loudest(faces) {
  const level = (face) => (face.threshold ? face.evidence / face.threshold : 0);
  return [...faces].sort((a, b) => RANK.indexOf(b.state) - RANK.indexOf(a.state) || level(b) - level(a))[0];
}

// The picture: `show` takes a tile as `/api/v1/board` tells it.
export class Picture {
  constructor() {
    this.root = element("div", "picture");
    this.image = element("img");
    this.image.alt = "";
    this.image.hidden = true;
    this.outlines = document.createElementNS(SVG, "svg");
    this.outlines.setAttribute("preserveAspectRatio", "xMidYMid meet");
    this.outlines.setAttribute("aria-hidden", "true");
    this.none = element("p", "none");
    this.root.append(this.image, this.outlines, this.none);
  }

  show({ status, faces, jpeg }) {
    this.image.hidden = jpeg === null;
    this.none.hidden = jpeg !== null;
    this.none.textContent = status.state === "live" ? "no picture yet" : (status.reason ?? "no picture");
    if (jpeg !== null) this.image.src = `data:image/jpeg;base64,${jpeg}`;
    this.outlines.replaceChildren();
    if (faces === null) return;
    this.outlines.setAttribute("viewBox", `0 0 ${faces.width} ${faces.height}`);
    for (const face of faces.faces) this.outlines.append(outline(face));
  }
}

// One line on how a stream is.
export function stateInWords({ state, fps, reason }) {
  if (state !== "live") return reason ? `${STATES[state]}: ${reason}` : STATES[state];
  return `live, ${fps.toFixed(fps < 10 ? 1 : 0)} frames/s`;
}

export function plural(count, one) {
  return count === 1 ? `1 ${one}` : `${count} ${one}s`;
}

const AGAIN_MS = 3000;
const NO_ANSWER = "The service does not answer. Trying again…";
const LOGGED_OUT = "Your login has ended. Log in again.";

// Follows the tiles of all streams, or of one. Tells `tile` and `gone`; and by `lost` why none come, empty once they do.
export function follow({ stream = null, tile, gone, lost }) {
  const query = stream === null ? "" : `?stream=${encodeURIComponent(stream)}`;
  const source = new EventSource(`/api/v1/board${query}`);
  source.addEventListener("open", () => lost(""));
  source.addEventListener("error", async () => {
    lost(NO_ANSWER);
    if (source.readyState !== EventSource.CLOSED) return;
    // An answer that is none, such as 401 or 503, is final for the browser, and not for us.
    if (await loggedOut()) lost(LOGGED_OUT);
    setTimeout(() => follow({ stream, tile, gone, lost }), AGAIN_MS);
  });
  source.addEventListener("tile", (event) => tile(JSON.parse(event.data)));
  source.addEventListener("gone", (event) => gone(JSON.parse(event.data).stream));
}

async function loggedOut() {
  try {
    return (await fetch("/api/v1/version", { method: "HEAD" })).status === 401;
  } catch {
    return false;
  }
}
