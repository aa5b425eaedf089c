// Publishes a media stream by WHIP (RFC 9725): one POST of an offer that is complete, one DELETE at the end.

const GATHERING_MS = 2000;

export class Publisher {
  // headers: sent along with every request, so that it is known to come from our own page.
  // onState: called with `connecting`, `connected`, `disconnected`, `failed` or `closed`.
  constructor(url, headers, onState) {
    this.url = url;
    this.headers = headers;
    this.onState = onState;
    this.session = null;
    this.peer = new RTCPeerConnection();
    this.peer.addEventListener("connectionstatechange", () => onState(this.peer.connectionState));
  }

  async publish(media) {
    for (const track of media.getVideoTracks()) {
      const sender = this.peer.addTransceiver(track, { direction: "sendonly", streams: [media] }).sender;
      track.contentHint = "detail"; // sharpness of faces before smoothness
      const parameters = sender.getParameters();
      parameters.degradationPreference = "maintain-resolution";
      await sender.setParameters(parameters).catch(() => {});
    }
    await this.peer.setLocalDescription();
    await this.#gathered();
    const answer = await fetch(this.url, {
      method: "POST",
      headers: { ...this.headers, "Content-Type": "application/sdp" },
      body: this.peer.localDescription.sdp,
    });
    if (answer.status !== 201) throw new Error(await problem(answer));
    this.session = new URL(answer.headers.get("Location"), answer.url).href;
    await this.peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  }

  // Also where the page is left: the request outlives it.
  stop() {
    const session = this.session;
    this.session = null;
    const goodbye = session && fetch(session, { method: "DELETE", headers: this.headers, keepalive: true });
    // Not before: the session would be gone when it is asked to go.
    Promise.resolve(goodbye).catch(() => {}).finally(() => this.peer.close());
  }

  async #gathered() {
    if (this.peer.iceGatheringState === "complete") return;
    await new Promise((resolve) => {
      setTimeout(resolve, GATHERING_MS);
      this.peer.addEventListener("icegatheringstatechange", () => {
        if (this.peer.iceGatheringState === "complete") resolve();
      });
    });
  }
}

// What an answer says of what went wrong, in one line.
export async function problem(answer) {
  try {
    const told = await answer.json();
    return told.detail || told.title;
  } catch {
    return `the server answered ${answer.status}`;
  }
}
