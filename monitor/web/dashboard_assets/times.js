// Moments as the clock of this browser has them. The page brings them in UTC, which is told where somebody points.

const LONG = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

function localise(element) {
  const at = element.getAttribute("datetime");
  if (element.dataset.shown === at) return;
  const moment = new Date(at);
  if (Number.isNaN(moment.getTime())) return;
  element.dataset.shown = at;
  element.textContent = LONG.format(moment);
  element.title = at.replace("T", " ").replace(/(\.\d+)?Z$/, " UTC");
}

function all(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return;
  if (node.matches("time[datetime]")) localise(node);
  node.querySelectorAll("time[datetime]").forEach(localise);
}

new MutationObserver((changes) => {
  for (const change of changes) {
    if (change.type === "attributes") all(change.target);
    change.addedNodes.forEach(all);
  }
}).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["datetime"] });
all(document.documentElement);
