// Explanation of why the open event is not in the list.

import { byId, el } from "./dom.js";
import { say } from "./language.js";
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
    box.replaceChildren(say("place.outside"), " ", button(say("place.show"), near));
  } else if (view.filters.length) {
    const clear = () => view.set({ filters: [] });
    box.replaceChildren(say("place.filtered"), " ", button(say("filter.clear"), clear));
  } else {
    box.replaceChildren(say("place.later"));
  }
}

/** Whether a time is outside a range. */
export function isOutside(time, { start, end }) {
  return (start !== null && time < start) || (end !== null && time > end);
}

function button(label, onclick) {
  return el("button", { type: "button", onclick }, label);
}
