// Publishes a media stream by WHIP (RFC 9725): a POST of an offer that is complete, and a DELETE at the end.

const GATHERING_MS = 2000;
const ANSWER_MS = 10000;

// The server has answered, and it was not what was asked for.
export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export class Publisher {
  // headers: sent along with every request, so that it is known to come from our own page.
  // onState: called with `connecting`, `connected`, `disconnected`, `failed` or `closed`.
  constructor(url, headers, onState) {
    this.url = url;
    this.headers = headers;
    this.onState = onState;
    this.session = null;
    this.peer = null;
    this.stopped = false;
  }

  // By a new connection; of one that there was before, nothing is told any more.
  async publish(media) {
    this.peer?.close();
    const peer = new RTCPeerConnection();
    this.peer = peer;
    peer.addEventListener("connectionstatechange", () => {
      if (peer === this.peer && !this.stopped) this.onState(peer.connectionState);
    });
    for (const track of media.getVideoTracks()) {
      const sender = peer.addTransceiver(track, { direction: "sendonly", streams: [media] }).sender;
      track.contentHint = "detail"; // sharpness of faces before smoothness
      const parameters = sender.getParameters();
      parameters.degradationPreference = "maintain-resolution";
      await sender.setParameters(parameters).catch(() => {});
    }
    await peer.setLocalDescription();
    await gathered(peer);
    if (this.stopped) return;
    const answer = await fetch(this.url, {
      method: "POST",
      headers: { ...this.headers, "Content-Type": "application/sdp" },
      body: peer.localDescription.sdp,
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (answer.status !== 201) throw await refused(answer);
    const sdp = await answer.text();
    this.session = new URL(answer.headers.get("Location"), answer.url).href;
    if (this.stopped) this.stop();
    else await peer.setRemoteDescription({ type: "answer", sdp });
  }

  // Ends the session, so that the next finds its place free; throws where the server is not reached.
  async leave() {
    if (this.session === null) return;
    await fetch(this.session, { method: "DELETE", headers: this.headers, signal: AbortSignal.timeout(ANSWER_MS) });
    this.session = null; // whatever the answer: a session that the server does not know has ended before
  }

  // For good, and also where the page is left: the request outlives it.
  stop() {
    this.stopped = true;
    const session = this.session;
    this.session = null;
    const goodbye = session && fetch(session, { method: "DELETE", headers: this.headers, keepalive: true });
    // Not before: the session would be gone when it is asked to go.
    Promise.resolve(goodbye).catch(() => {}).finally(() => this.peer?.close());
  }
}

async function gathered(peer) {
  if (peer.iceGatheringState === "complete") return;
  await new Promise((resolve) => {
    setTimeout(resolve, GATHERING_MS);
    peer.addEventListener("icegatheringstatechange", () => {
      if (peer.iceGatheringState === "complete") resolve();
    });
  });
}

// What an answer says of what went wrong, in one line.
export async function refused(answer) {
  try {
    const told = await answer.json();
    return new Refused(answer.status, told.detail || told.title);
  } catch {
    return new Refused(answer.status, `the server answered ${answer.status}`);
  }
}
