// Buttons of the preset time ranges, and the form of a custom range.

import { byId, el } from "./dom.js";
import { utc } from "./format.js";
import { PRESETS } from "./view.js";

export function timeRange(view) {
  const form = byId("custom-range");
  const buttons = new Map(
    [...PRESETS].map(([key, { label }]) => [
      key,
      el(
        "button",
        { type: "button", "aria-pressed": "false", onclick: () => view.set({ last: key, start: null, end: null }) },
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

  function open(isOpen) {
    form.hidden = !isOpen;
    custom.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) form.elements.start.focus();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const [start, end] = [form.elements.start, form.elements.end].map(secondsOf);
    if (start !== null || end !== null) view.set({ last: null, start, end });
    else view.set({ last: "all", start: null, end: null });
  });

  function show() {
    for (const [key, button] of buttons) button.setAttribute("aria-pressed", String(key === view.last));
    for (const name of ["start", "end"]) {
      form.elements[name].value = view[name] === null ? "" : utc(view[name]).replace(" ", "T");
    }
    custom.setAttribute("aria-pressed", String(view.last === null));
  }

  view.addEventListener("change", show);
  show();
}

/** Parse a field as UTC. Returns Unix seconds, or null if it is empty. */
function secondsOf(input) {
  return input.value ? Math.floor(Date.parse(`${input.value}Z`) / 1000) : null;
}
