// Faces on the page: an outline each in the picture, a card each beside it, and what is left of them at the end.

import { outline } from "./outline.js";
import { secondsInWords, verdictInWords, whyInWords } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const SHOWN_S = 180;
const LEAST_SHOWN_S = 30;
const GONE_S = 2;

export class Faces {
  constructor(outlines, cards, nobody) {
    this.outlines = outlines;
    this.cards = cards;
    this.nobody = nobody;
    this.leastPx = 0; // width from which a face is judged
    this.seen = new Map(); // by track: { number, card, history, seconds, judged, last, atS }
    cards.replaceChildren();
    outlines.replaceChildren();
    nobody.hidden = false;
  }

  // Takes what is followed at one moment: { at_s, width, height, min_face_px, faces: [{track, box, width_px, gated, state, evidence, threshold, samples, reasons}] }.
  show(told) {
    this.leastPx = told.min_face_px;
    this.outlines.setAttribute("viewBox", `0 0 ${told.width} ${told.height}`);
    this.outlines.replaceChildren(...told.faces.map(outline));
    for (const face of told.faces) this.#update(face, told.at_s);
    for (const entry of this.seen.values()) entry.card.classList.toggle("gone", told.at_s - entry.atS > GONE_S);
    this.nobody.hidden = this.seen.size > 0;
  }

  // The faces in the order in which they came, for the summary.
  summary() {
    return [...this.seen.values()].map(({ number, seconds, judged, last }) => ({
      number,
      state: last.state,
      seconds,
      judged: Math.min(judged, seconds),
    }));
  }

  #update(face, atS) {
    let entry = this.seen.get(face.track);
    if (entry === undefined) {
      entry = { number: this.seen.size + 1, card: newCard(), history: [], seconds: 0, judged: 0, last: face, atS };
      this.seen.set(face.track, entry);
      this.cards.append(entry.card);
    }
    const passedS = atS - entry.atS;
    if (passedS <= GONE_S) entry.seconds += passedS;
    // A second counts once, however many crops of it were judged.
    if (face.samples > entry.last.samples) entry.judged += Math.min(face.samples - entry.last.samples, Math.max(passedS, 0.5));
    entry.last = face;
    entry.atS = atS;
    entry.history.push({ atS, level: face.threshold ? face.evidence / face.threshold : 0 });
    while (entry.history[0].atS < atS - SHOWN_S) entry.history.shift();
    this.#draw(entry, face);
  }

  #draw({ number, card, history }, face) {
    card.className = face.state;
    const [said, why, plot] = card.children;
    said.firstElementChild.textContent = `Face ${number}`;
    said.lastElementChild.textContent = verdictInWords(face.state);
    why.textContent = whyInWords(face, this.leastPx) || `judged in ${face.samples} pictures`;
    const endS = history[history.length - 1].atS;
    const shownS = Math.max(LEAST_SHOWN_S, endS - history[0].atS);
    const points = history.map(({ atS, level }) => {
      const x = 100 - (100 * (endS - atS)) / shownS;
      return `${x.toFixed(2)},${(38 - 28 * Math.min(1.3, Math.max(0, level))).toFixed(2)}`;
    });
    plot.querySelector("path").setAttribute("d", `M${points.join("L")}`);
    plot.setAttribute("aria-label", `evidence ${face.evidence.toFixed(1)} of ${(face.threshold ?? 0).toFixed(1)} needed for an alert`);
  }
}

function newCard() {
  const card = document.createElement("li");
  const said = document.createElement("p");
  said.className = "said";
  said.append(document.createElement("span"), document.createElement("span"));
  const why = document.createElement("p");
  why.className = "why";
  const plot = document.createElementNS(SVG, "svg");
  plot.setAttribute("viewBox", "0 0 100 40");
  plot.setAttribute("preserveAspectRatio", "none");
  plot.setAttribute("role", "img");
  const threshold = document.createElementNS(SVG, "line");
  for (const [name, value] of Object.entries({ x1: 0, x2: 100, y1: 10, y2: 10 })) threshold.setAttribute(name, value);
  plot.append(threshold, document.createElementNS(SVG, "path"));
  card.append(said, why, plot);
  return card;
}

// A row of the summary's table.
export function summaryRow({ number, state, seconds, judged }) {
  const row = document.createElement("tr");
  const coverage = seconds > 0 ? `${Math.round((100 * judged) / seconds)} %` : "–";
  for (const text of [`Face ${number}`, verdictInWords(state), secondsInWords(seconds), secondsInWords(judged), coverage]) {
    const cell = document.createElement("td");
    cell.textContent = text;
    row.append(cell);
  }
  row.children[1].className = `tone ${state}`;
  return row;
}
