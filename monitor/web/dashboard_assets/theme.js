// Light, dark or as the system has it: kept in this browser, for every page.

const KEY = "gend-theme";
const MODES = { auto: "as the system", light: "light", dark: "dark" };

function mode() {
  const kept = localStorage.getItem(KEY);
  return kept in MODES ? kept : "auto";
}

function apply() {
  const now = mode();
  Quasar.Dark.set(now === "auto" ? "auto" : now === "dark");
  const button = document.getElementById("theme");
  if (button !== null) {
    const said = `Colours: ${MODES[now]}. Change`;
    button.setAttribute("aria-label", said);
    button.title = said;
  }
}

// The page is mounted by a script that runs after this one.
function begin() {
  if (document.getElementById("theme") === null) {
    requestAnimationFrame(begin);
    return;
  }
  document.addEventListener("click", (event) => {
    if (event.target.closest("#theme") === null) return;
    const names = Object.keys(MODES);
    localStorage.setItem(KEY, names[(names.indexOf(mode()) + 1) % names.length]);
    apply();
  });
  apply();
}

begin();
