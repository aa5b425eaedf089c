// The board: a tile for each stream, those with an alert first.

import { verdictInWords } from "/assets/call/words.js";
import { Picture, element, follow, loudest, plural, stateInWords } from "./tiles.js";

class Tile {
  constructor(name, notices) {
    this.name = name;
    this.notices = notices;
    this.root = element("a", "tile");
    this.root.href = `/streams/${name}`;
    this.picture = new Picture();
    this.title = element("h2", "", name);
    this.badges = element("span", "badges");
    this.state = element("p", "state");
    this.held = element("p", "held");
    this.meter = element("div", "meter");
    this.bar = element("span");
    this.meter.append(this.bar);
    this.evidence = element("p", "evidence");
    this.notes = element("p", "notes");
    const head = element("div", "head");
    head.append(this.title, this.badges);
    this.root.append(this.picture.root, head, this.state, this.held, this.meter, this.evidence, this.notes);
  }

  show(told) {
    const { status, alerting, faces } = told;
    this.alerting = alerting;
    this.live = status.state === "live";
    const notes = status.degraded.filter((note) => !this.notices.includes(note));
    this.attention = alerting || !this.live || notes.length > 0;
    this.picture.show(told);
    const followed = faces?.faces ?? [];
    const top = loudest(followed);
    this.root.className = `tile ${alerting ? "alerting" : status.state} ${top?.state ?? "nobody"}`;
    this.badges.replaceChildren();
    if (alerting) this.badges.append(element("span", "badge alert", "Alert"));
    // A session raises so many alerts at the most (`decision.max_alerts_per_session`).
    else if (top?.state === "fake") this.badges.append(element("span", "badge", "Alert raised before"));
    if (status.snoozed_until) this.badges.append(element("span", "badge", "Snoozed"));
    this.state.textContent = stateInWords(status);
    this.held.textContent = top ? heldInWords(top, followed) : "no face in sight";
    const level = top?.threshold ? Math.max(0, top.evidence / top.threshold) : 0;
    this.bar.style.width = `${Math.min(100, 100 * level)}%`;
    this.meter.hidden = this.evidence.hidden = !top?.threshold;
    this.evidence.textContent = top?.threshold ? `evidence ${top.evidence.toFixed(1)}, alert at ${top.threshold.toFixed(1)}` : "";
    this.notes.textContent = notes.join("; ");
    this.notes.hidden = notes.length === 0;
  }
}

// What is held of the face that speaks loudest, and of how many that is held.
function heldInWords(top, followed) {
  const alike = followed.filter((face) => face.state === top.state).length;
  const faces = plural(followed.length, "face");
  return `${alike < followed.length ? `${alike} of ${faces}` : faces}: ${verdictInWords(top.state).toLowerCase()}`;
}

class Board {
  constructor(root) {
    this.tiles = new Map();
    this.notices = JSON.parse(root.dataset.notices);
    this.told = element("p", "told");
    this.told.setAttribute("role", "status");
    this.filter = element("input");
    this.filter.type = "search";
    this.filter.placeholder = "Find a stream";
    this.filter.setAttribute("aria-label", "Find a stream");
    this.only = element("input");
    this.only.type = "checkbox";
    const label = element("label", "only");
    label.append(this.only, " Only what needs attention");
    const tools = element("div", "tools");
    tools.append(this.told, this.filter, label);
    this.grid = element("div", "grid");
    this.empty = element("p", "empty", "No stream is watched yet.");
    this.empty.hidden = true;
    root.replaceChildren(tools, this.grid, this.empty);
    this.filter.addEventListener("input", () => this.arrange());
    this.only.addEventListener("change", () => this.arrange());
    follow({
      tile: (told) => this.show(told),
      gone: (name) => this.remove(name),
      lost: (why) => this.stand(why),
    });
    setTimeout(() => this.arrange(), 2000);
  }

  show(told) {
    const name = told.status.stream;
    let tile = this.tiles.get(name);
    if (tile === undefined) {
      tile = new Tile(name, this.notices);
      this.tiles.set(name, tile);
    }
    tile.show(told);
    this.arrange();
  }

  remove(name) {
    this.tiles.get(name)?.root.remove();
    this.tiles.delete(name);
    this.arrange();
  }

  stand(why) {
    this.lost = why;
    this.arrange();
  }

  arrange() {
    const tiles = [...this.tiles.values()].sort((a, b) => b.alerting - a.alerting || a.name.localeCompare(b.name));
    const wanted = this.filter.value.trim().toLowerCase();
    const shown = tiles.filter((tile) => tile.name.includes(wanted) && (!this.only.checked || tile.attention));
    // Moving what stands where it should would take the focus from it.
    const stands = [...this.grid.children];
    if (shown.length !== stands.length || shown.some((tile, at) => tile.root !== stands[at])) {
      this.grid.replaceChildren(...shown.map((tile) => tile.root));
    }
    this.empty.hidden = shown.length > 0;
    this.empty.textContent = tiles.length ? "No stream is like that." : "No stream is watched yet.";
    const alerts = tiles.filter((tile) => tile.alerting).length;
    const live = tiles.filter((tile) => tile.live).length;
    const said = this.lost
      ? this.lost
      : `${plural(tiles.length, "stream")}, ${live} live, ${alerts ? plural(alerts, "alert") : "no alert"}`;
    if (this.told.textContent !== said) this.told.textContent = said;
    this.grid.classList.toggle("lost", Boolean(this.lost));
  }
}

// The page's own part is put there by a script that runs after this one.
function begin() {
  const root = document.getElementById("board");
  if (root === null) requestAnimationFrame(begin);
  else new Board(root);
}

begin();
