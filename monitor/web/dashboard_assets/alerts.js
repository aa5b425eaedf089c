// The filter of the alerts: an address holds what was asked for, and nothing else, so that it can be passed on.

// `datetime-local` knows no zone: what is typed there is the time of this browser.
function local(moment) {
  const pad = (number) => String(number).padStart(2, "0");
  const day = `${moment.getFullYear()}-${pad(moment.getMonth() + 1)}-${pad(moment.getDate())}`;
  return `${day}T${pad(moment.getHours())}:${pad(moment.getMinutes())}`;
}

function fill(form) {
  for (const input of form.querySelectorAll("input[data-at]")) {
    const moment = new Date(input.dataset.at);
    if (!Number.isNaN(moment.getTime())) input.value = local(moment);
  }
}

function address(form) {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (value === "") continue;
    const input = form.elements[name];
    const moment = input.type === "datetime-local";
    // What was not touched keeps its seconds.
    const kept = moment && input.dataset.at && local(new Date(input.dataset.at)) === value ? input.dataset.at : null;
    query.append(name, moment ? (kept ?? new Date(value).toISOString()) : value);
  }
  return query.size ? `${form.getAttribute("action")}?${query}` : form.getAttribute("action");
}

function begin() {
  const form = document.getElementById("filter");
  if (form === null) {
    requestAnimationFrame(begin);
    return;
  }
  fill(form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    location.assign(address(form));
  });
}

begin();
