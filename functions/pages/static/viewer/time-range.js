// The time range: preset buttons, steps to the windows before, after and around, the form of a custom range, the time
// zone, and the current range as text.

import { byId, el } from "./dom.js";
import { say } from "./language.js";
import { MAX_SECONDS, PRESETS, shifted, zoomedOut } from "./ranges.js";
import { chooseZone, moment, onZone, secondsAt, wallClock, zone, zones } from "./time-zone.js";

/** Set up the range of `view`. Returns a function that shows the requested range: {start, end}, null for no bound. */
export function timeRange(view) {
  const form = byId("custom-range");
  const { start: from, end: to } = form.elements;
  const problem = byId("range-problem");
  let asked = { start: null, end: null };
  let shown = "";
  const buttons = new Map(
    [...PRESETS.keys()].map((key) => [
      key,
      el(
        "button",
        { type: "button", "aria-pressed": "false", onclick: () => choose({ last: key, start: null, end: null }) },
        say(`range.${key}`),
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
    say("range.custom"),
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

  const steps = new Map([
    [byId("previous"), () => shifted(asked, -1)],
    [byId("next"), () => shifted(asked, 1)],
    [byId("zoom-out"), () => zoomedOut(asked)],
  ]);
  for (const [button, target] of steps) {
    button.addEventListener("click", () => {
      const range = target();
      if (range) choose({ last: null, ...range }); // disabling the button would lose the focus
    });
  }

  function show() {
    for (const [button, target] of steps) button.ariaDisabled = String(target() === null);
    for (const [key, button] of buttons) button.setAttribute("aria-pressed", String(key === view.last));
    custom.setAttribute("aria-pressed", String(view.last === null));
    const range = JSON.stringify([view.last, view.start, view.end]);
    if (range !== shown) open(false); // a change of filters alone keeps a half-typed range
    shown = range;
  }

  view.addEventListener("change", show);
  zoneChoice(() => {
    shown = "";
    show();
  });
  show();
  return (range) => {
    asked = range;
    show();
    byId("range").textContent = rangeText(range);
  };
}

function zoneChoice(onChange) {
  const select = byId("zone");
  select.append(...zones().map((name) => el("option", { value: name }, name)));
  select.value = zone();
  select.addEventListener("change", () => chooseZone(select.value));
  onZone(onChange);
}

/** The range in words, with its time zone. */
export function rangeText({ start, end }) {
  if (start === null && end === null) return say("range.allTime");
  if (start === null) return say("range.until", { end: moment(end), zone: zone() });
  if (end === null) return say("range.since", { start: moment(start), zone: zone() });
  return say("range.between", { start: moment(start), end: moment(end), zone: zone() });
}

function isPossible(seconds) {
  return seconds === null || (seconds >= 0 && seconds <= MAX_SECONDS);
}

function rangeProblem(start, end) {
  if (!isPossible(start) || !isPossible(end)) return say("range.years");
  if (start !== null && end !== null && start > end) return say("range.order");
  return "";
}

function field(seconds) {
  return seconds === null ? "" : wallClock(seconds).replace(" ", "T");
}

/** Parse a field. Returns Unix seconds, or null if it is empty. */
function secondsOf(input) {
  return input.value ? secondsAt(input.value) : null;
}
