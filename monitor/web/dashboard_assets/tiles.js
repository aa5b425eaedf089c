// A stream as the board and its own page show it: the picture with an outline of each face, how it is, what is held.

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

function outline(face) {
  const rect = document.createElementNS(SVG, "rect");
  const [x0, y0, x1, y1] = face.box;
  const place = { x: x0, y: y0, width: x1 - x0, height: y1 - y0, rx: (x1 - x0) / 12 };
  for (const [name, value] of Object.entries(place)) rect.setAttribute(name, value);
  rect.setAttribute("class", face.state);
  return rect;
}

// One line on how a stream is.
export function stateInWords({ state, fps, reason }) {
  if (state !== "live") return reason ? `${STATES[state]}: ${reason}` : STATES[state];
  return `live, ${fps.toFixed(fps < 10 ? 1 : 0)} frames/s`;
}

export function plural(count, one) {
  return count === 1 ? `1 ${one}` : `${count} ${one}s`;
}

// Follows the tiles of all streams, or of one. Tells `tile` and `gone`, and by `connected` whether they come at all.
export function follow({ stream = null, tile, gone, connected }) {
  const query = stream === null ? "" : `?stream=${encodeURIComponent(stream)}`;
  const source = new EventSource(`/api/v1/board${query}`);
  source.addEventListener("open", () => connected(true));
  source.addEventListener("error", () => connected(false));
  source.addEventListener("tile", (event) => tile(JSON.parse(event.data)));
  source.addEventListener("gone", (event) => gone(JSON.parse(event.data).stream));
  return source;
}
