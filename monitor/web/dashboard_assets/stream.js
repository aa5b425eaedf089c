// The page of one stream: its picture, how it is, and each face in it now.

import { verdictInWords, whyInWords } from "/assets/call/words.js";
import { Picture, element, follow, stateInWords } from "./tiles.js";

class Stream {
  constructor(root, faces) {
    this.picture = new Picture();
    this.state = element("p", "state");
    this.state.setAttribute("role", "status");
    this.notes = element("p", "notes quiet small");
    root.replaceChildren(this.picture.root, this.state, this.notes);
    this.faces = faces;
    this.cards = new Map();
    this.nobody = element("p", "quiet", "No face in sight.");
    this.faces.replaceChildren(this.nobody);
    follow({
      stream: root.dataset.stream,
      tile: (told) => this.show(told),
      gone: () => this.say("This stream is watched no more."),
      lost: (why) => why && this.say(why),
    });
  }

  say(text) {
    if (this.state.textContent !== text) this.state.textContent = text;
  }

  show(told) {
    this.picture.show(told);
    this.say(stateInWords(told.status) + (told.alerting ? "; an alert stands" : ""));
    this.notes.textContent = told.status.degraded.join("; ");
    const followed = told.faces?.faces ?? [];
    const now = new Set(followed.map((face) => face.track));
    for (const [track, card] of this.cards) {
      if (!now.has(track)) {
        card.remove();
        this.cards.delete(track);
      }
    }
    for (const face of followed) this.draw(face, told.faces.min_face_px);
    this.nobody.hidden = followed.length > 0;
  }

  draw(face, leastPx) {
    let card = this.cards.get(face.track);
    if (card === undefined) {
      card = element("div");
      const meter = element("div", "meter");
      meter.append(element("span"));
      card.append(element("p", "held"), meter, element("p", "evidence quiet small"), element("p", "why quiet small"));
      this.cards.set(face.track, card);
      this.faces.append(card);
    }
    card.className = `face ${face.state}`;
    const [held, meter, evidence, why] = card.children;
    held.textContent = `Face ${face.track}: ${verdictInWords(face.state)}`;
    const level = face.threshold ? Math.max(0, face.evidence / face.threshold) : 0;
    meter.firstElementChild.style.width = `${Math.min(100, 100 * level)}%`;
    evidence.textContent = face.threshold
      ? `evidence ${face.evidence.toFixed(1)}, alert at ${face.threshold.toFixed(1)}; ${face.samples} crops, ${Math.round(face.width_px)} px wide`
      : `${Math.round(face.width_px)} px wide`;
    why.textContent = whyInWords(face, leastPx);
  }
}

// The page's own part is put there by a script that runs after this one.
function begin() {
  const root = document.getElementById("stream");
  const faces = document.getElementById("faces");
  if (root === null || faces === null) requestAnimationFrame(begin);
  else new Stream(root, faces);
}

begin();
