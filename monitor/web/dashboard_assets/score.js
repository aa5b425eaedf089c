// Sends files to be scored, one after the other, and says how far each is or why it was refused.

import { element, plural } from "./tiles.js";

const ADDRESS = "/api/v1/scores";

function size(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

class Chosen {
  constructor(file, remove) {
    this.file = file;
    this.root = element("li");
    this.bar = element("progress");
    this.bar.max = 1;
    this.bar.hidden = true;
    this.bar.setAttribute("aria-label", `${file.name}, sent so far`);
    this.state = element("span", "state", size(file.size));
    this.gone = element("button", "plain", "Remove");
    this.gone.type = "button";
    this.gone.setAttribute("aria-label", `Remove ${file.name}`);
    this.gone.addEventListener("click", remove);
    this.root.append(element("span", "name", file.name), this.state, this.bar, this.gone);
  }

  refuse(why) {
    this.root.classList.add("refused");
    this.bar.hidden = true;
    this.gone.hidden = false;
    this.state.textContent = why;
  }

  sending(share) {
    this.root.classList.remove("refused");
    this.gone.hidden = true;
    this.bar.hidden = false;
    this.bar.value = share;
    this.state.textContent = share < 1 ? `sending, ${Math.round(100 * share)} %` : "sent, waits for an answer";
  }
}

class Sender {
  constructor(form) {
    const told = JSON.parse(form.dataset.told);
    this.form = form;
    this.csrf = told.csrf;
    this.most = told.most;
    this.input = document.getElementById("files");
    this.list = document.getElementById("chosen");
    this.button = document.getElementById("send");
    this.said = document.getElementById("said");
    this.chosen = [];
    this.busy = false;
    this.input.addEventListener("change", () => {
      this.add(this.input.files);
      this.input.value = "";
    });
    const zone = form.querySelector(".drop");
    const over = (is) => zone.classList.toggle("over", is);
    for (const name of ["dragenter", "dragover"]) {
      form.addEventListener(name, (event) => {
        event.preventDefault();
        over(true);
      });
    }
    form.addEventListener("dragleave", (event) => {
      if (!form.contains(event.relatedTarget)) over(false);
    });
    form.addEventListener("drop", (event) => {
      event.preventDefault();
      over(false);
      this.add(event.dataTransfer.files);
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    const count = document.getElementById("count");
    document.getElementById("spread").addEventListener("change", (event) => {
      count.value = { frames: 32, stride: 10, per_second: 2 }[event.target.value];
    });
    this.arrange();
  }

  add(files) {
    for (const file of files) {
      const each = new Chosen(file, () => this.drop(each));
      const why = this.refusal(file);
      if (why !== null) each.refuse(why);
      each.refused = why !== null;
      this.chosen.push(each);
      this.list.append(each.root);
    }
    this.arrange();
  }

  // What the service would refuse after all of it had been sent.
  refusal(file) {
    if (file.size > this.most) return `too large: ${size(file.size)}, at most ${size(this.most)} are taken`;
    if (file.type && !/^(image|video)\//.test(file.type)) return "neither a picture nor a video";
    if (/^image\/hei[cf]/.test(file.type)) return "HEIF pictures are not supported; convert it to JPEG or PNG";
    return file.size === 0 ? "it is empty" : null;
  }

  drop(each) {
    this.chosen = this.chosen.filter((other) => other !== each);
    each.root.remove();
    this.arrange();
    this.input.focus();
  }

  arrange() {
    const due = this.chosen.filter((each) => !each.refused).length;
    this.list.hidden = this.chosen.length === 0;
    this.button.disabled = this.busy;
    this.button.querySelector(".block").textContent = due ? `Score ${plural(due, "file")}` : "Score";
  }

  options() {
    const fields = new FormData(this.form);
    for (const [name, value] of [...fields.entries()]) if (value === "") fields.delete(name);
    if (fields.has("annotate")) fields.set("annotate", "true");
    const count = document.getElementById("count").value;
    const spread = document.getElementById("spread").value;
    fields.set(spread, spread === "per_second" ? count : String(Math.max(1, Math.round(Number(count)))));
    return fields;
  }

  async send() {
    const due = this.chosen.filter((each) => !each.refused);
    if (this.busy) return;
    if (due.length === 0) {
      this.said.textContent = "Choose a picture or a video first.";
      this.input.focus();
      return;
    }
    this.busy = true;
    this.arrange();
    let sent = 0;
    for (const each of due) {
      const why = await this.post(each);
      if (why === null) {
        sent += 1;
        this.chosen = this.chosen.filter((other) => other !== each);
        each.root.remove();
      } else {
        each.refuse(why);
      }
    }
    this.busy = false;
    this.arrange();
    const left = due.length - sent;
    this.said.textContent = `${plural(sent, "file")} sent${left ? `, ${plural(left, "file")} refused: see above` : ""}.`;
  }

  // Resolves to why it was refused, or to null.
  post(each) {
    const fields = this.options();
    fields.set("file", each.file, each.file.name);
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.open("POST", ADDRESS);
      if (this.csrf) request.setRequestHeader("X-CSRF-Token", this.csrf);
      request.upload.addEventListener("progress", (event) => each.sending(event.loaded / event.total));
      request.addEventListener("load", () => resolve(request.status === 202 ? null : this.reason(request)));
      request.addEventListener("error", () => resolve("the service does not answer"));
      each.sending(0);
      request.send(fields);
    });
  }

  reason(request) {
    if (request.status === 413) return `too large: at most ${size(this.most)} are taken`;
    if (request.status === 401) return "your login has ended: log in again";
    try {
      return JSON.parse(request.responseText).detail ?? `refused (${request.status})`;
    } catch {
      return request.responseText.trim() || `refused (${request.status})`;
    }
  }
}

// The page's own part is put there by a script that runs after this one.
function begin() {
  const form = document.getElementById("score");
  if (form === null) requestAnimationFrame(begin);
  else new Sender(form);
}

begin();
