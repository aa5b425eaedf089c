// Keeps a call published: when its connection is lost, as by a cut of the network, it is published again, for a while.

import { Publisher } from "./whip.js";

const PAUSES_MS = [1000, 2000, 4000, 5000]; // between tries; the last one again and again
const GIVE_UP_MS = 120000;

export class Lasting {
  // find: tells where to publish to: { name, url, headers, own }, `own` where it is a call that ends with its session.
  // on: what is called: `published(name)`, `connected()`, `disconnected()`, `lost()`, and `over(why)` at the end.
  constructor(media, find, on) {
    this.media = media;
    this.find = find;
    this.on = on;
    this.place = null;
    this.publisher = null;
    this.connected = false; // ever
    this.lostMs = null; // when it was lost; null: it is not
    this.tries = 0; // since then
    this.closed = false;
    this.wake = () => {};
  }

  // Publishes for the first time; throws where that is refused.
  async open() {
    try {
      await this.#find();
      await this.#publish();
    } catch (error) {
      if (!this.closed) throw error; // else it is what comes of closing it
    }
  }

  close() {
    this.closed = true;
    this.publisher?.stop();
    this.wake();
  }

  async #find() {
    this.place = await this.find();
    this.publisher = new Publisher(this.place.url, this.place.headers, (state) => this.#became(state));
    if (this.closed) this.publisher.stop();
  }

  async #publish() {
    if (this.closed) return;
    await this.publisher.publish(this.media);
    if (!this.closed) this.on.published(this.place.name);
  }

  #became(state) {
    if (state === "connected") {
      this.connected = true;
      this.lostMs = null;
      this.tries = 0;
      this.on.connected();
    } else if (state === "disconnected") {
      this.on.disconnected(); // it may come back by itself
    } else if (state === "failed") {
      if (this.connected) this.#recover();
      else this.on.over("The connection was lost.");
    }
  }

  async #recover() {
    this.lostMs ??= performance.now();
    this.on.lost();
    while (!this.closed) {
      await this.#pause();
      if (this.closed) return;
      if (performance.now() - this.lostMs > GIVE_UP_MS) return this.on.over("The connection was lost.");
      try {
        if (this.place === null) await this.#find();
        // A call of one's own would be over with its session; there the new one takes the old one's place.
        if (!this.place.own) await this.publisher.leave();
        return await this.#publish();
      } catch (error) {
        if (this.closed) return;
        if (this.place?.own && [401, 404].includes(error.status)) this.place = null; // over meanwhile: another is begun
        else if (isFinal(error.status)) return this.on.over(`The connection was lost: ${error.message}.`);
      }
    }
  }

  async #pause() {
    const pauseMs = PAUSES_MS[Math.min(this.tries, PAUSES_MS.length - 1)];
    this.tries += 1;
    await new Promise((resolve) => {
      this.wake = resolve;
      setTimeout(resolve, pauseMs);
    });
  }
}

// Whether an answer stays the same however often one asks. No answer, 5xx, and 409, while the server has not yet noticed
// that the old session is dead, do not.
function isFinal(status) {
  return status !== undefined && status < 500 && ![408, 409, 429].includes(status);
}
