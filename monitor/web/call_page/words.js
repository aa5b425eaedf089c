// Plain words for what the monitor says of a face.

const VERDICTS = {
  inconclusive: "Not sure yet",
  clear: "No sign of manipulation",
  suspect: "Something is odd",
  fake: "Likely manipulated",
};

const CAUSES = {
  untrusted: () => "the picture was damaged on its way",
  confidence: () => "it can hardly be made out",
  small: (face, leastPx) => `${Math.round(face.width_px)} px wide, ${leastPx} are needed: enlarge the tile`,
  cut_off: () => "it is cut off at the edge",
  pose: () => "it is turned away",
  alignment: () => "it can hardly be made out",
  blurred: () => "the picture of it is blurred: more light or a better connection helps",
  failed: () => "it could not be cut out",
};

const REASONS = {
  "few crops": "not enough seconds of it were judged",
  starved: "the server is too busy to judge every face",
  drift: "pictures are unlike those that this monitor was calibrated on",
  "duplicate frames": "the call shows the same picture again and again",
  "still picture": "nothing in this face moves: it may be a photograph",
};

export function verdictInWords(state) {
  return VERDICTS[state] ?? state;
}

// Why nothing better can be said of a face; empty where nothing stands in the way.
export function whyInWords(face, leastPx) {
  const said = face.gated in CAUSES ? [CAUSES[face.gated](face, leastPx)] : [];
  for (const reason of face.reasons) {
    if (reason in REASONS) said.push(REASONS[reason]);
  }
  return said.join("; ");
}

export function secondsInWords(seconds) {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
