// The time range: preset buttons, the form of a custom range, and the current range as text.

import { byId, el } from "./dom.js";
import { utc } from "./format.js";
import { PRESETS } from "./view.js";

const MAX_SECONDS = 253_402_300_799; // the end of the year 9999, as in the API

/** Set up the range of `view`. Returns a function that shows the requested range: {start, end}, null for no bound. */
export function timeRange(view) {
  const form = byId("custom-range");
  const { start: from, end: to } = form.elements;
  const problem = byId("range-problem");
  let asked = { start: null, end: null };
  let shown = "";
  const buttons = new Map(
    [...PRESETS].map(([key, { label }]) => [
      key,
      el(
        "button",
        { type: "button", "aria-pressed": "false", onclick: () => choose({ last: key, start: null, end: null }) },
        label,
      ),
    ]),
  );
  const custom = el(
    "button",
    {
      type: "button",
      "aria-pressed": "false",
      "aria-expanded": "false",
      "aria-controls": form.id,
      onclick: () => open(form.hidden),
    },
    "Custom",
  );
  byId("presets").append(...buttons.values(), custom);

  function choose(range) {
    open(false);
    view.set(range);
  }

  function open(isOpen) {
    form.hidden = !isOpen;
    custom.setAttribute("aria-expanded", String(isOpen));
    problem.textContent = "";
    if (!isOpen) return;
    from.value = field(asked.start);
    to.value = field(asked.end);
    from.focus();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const [start, end] = [secondsOf(from), secondsOf(to)];
    problem.textContent = rangeProblem(start, end);
    if (problem.textContent) {
      from.focus();
    } else {
      choose(start === null && end === null ? { last: "all", start, end } : { last: null, start, end });
      custom.focus();
    }
  });

  function show() {
    for (const [key, button] of buttons) button.setAttribute("aria-pressed", String(key === view.last));
    custom.setAttribute("aria-pressed", String(view.last === null));
    const range = JSON.stringify([view.last, view.start, view.end]);
    if (range !== shown) open(false); // a change of filters alone keeps a half-typed range
    shown = range;
  }

  view.addEventListener("change", show);
  show();
  return (range) => {
    asked = range;
    show();
    byId("range").textContent = words(range);
  };
}

function words({ start, end }) {
  if (start === null && end === null) return "All time";
  if (start === null) return `Up to ${utc(end)} UTC`;
  return end === null ? `From ${utc(start)} UTC` : `${utc(start)} to ${utc(end)} UTC`;
}

function isPossible(seconds) {
  return seconds === null || (seconds >= 0 && seconds <= MAX_SECONDS);
}

function rangeProblem(start, end) {
  if (!isPossible(start) || !isPossible(end)) return "Choose times from the year 1970 to 9999.";
  if (start !== null && end !== null && start > end) return "The start is after the end.";
  return "";
}

function field(seconds) {
  return seconds === null ? "" : utc(seconds).replace(" ", "T");
}

/** Parse a field as UTC. Returns Unix seconds, or null if it is empty. */
function secondsOf(input) {
  return input.value ? Math.floor(Date.parse(`${input.value}Z`) / 1000) : null;
}
