// Explanation of why the open event is not in the list.

import { byId, el } from "./dom.js";
import { around } from "./ranges.js";

const AROUND_SECONDS = 300;

/**
 * Say in the detail panel why `event` is not among the `listed` events of `view`, with the way to a list that has it.
 * `range` is the {start, end} that was asked for, null for no bound.
 */
export function showPlace(event, listed, { view, range }) {
  const box = byId("event-place");
  if (!box) return;
  box.hidden = event === null || listed.some((one) => one.event_id === event.event_id);
  if (box.hidden) return;
  if (isOutside(event.timestamp_utc, range)) {
    const near = () => view.set({ last: null, ...around(event.timestamp_utc, AROUND_SECONDS) });
    box.replaceChildren("Not in the list: outside the time range. ", button("Show the time around it", near));
  } else if (view.filters.length) {
    const clear = () => view.set({ filters: [] });
    box.replaceChildren("Not in the list: does not match the filters. ", button("Clear the filters", clear));
  } else {
    box.replaceChildren("Not in the list: stored after the list was loaded.");
  }
}

/** Whether a time is outside a range. */
export function isOutside(time, { start, end }) {
  return (start !== null && time < start) || (end !== null && time > end);
}

function button(label, onclick) {
  return el("button", { type: "button", onclick }, label);
}
