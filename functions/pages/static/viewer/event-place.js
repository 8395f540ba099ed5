// Explanation of why the open event is not in the list.

import { byId, el } from "./dom.js";
import { events, utc } from "./format.js";

/**
 * Say in the detail panel why `event` is not among the `listed` events of `view`, with the way to a list that has it.
 * `range` is the {start, end} that was asked for, null for no bound; `areAll`: no more than the listed events match.
 */
export function showPlace(event, listed, { view, range, areAll }) {
  const box = byId("event-place");
  if (!box) return;
  box.hidden = event === null || listed.some((one) => one.event_id === event.event_id);
  if (box.hidden) return;
  const time = event.timestamp_utc;
  const last = listed.at(-1);
  if (isOutside(time, range)) {
    box.replaceChildren("Not in the list: outside the time range. ", toIt(view, time, null));
  } else if (areAll || (last && time > last.timestamp_utc)) {
    const clear = () => view.set({ filters: [] });
    box.replaceChildren(
      view.filters.length
        ? "Not in the list: does not match the filters. "
        : "Not in the list: stored after the list was loaded. ",
      view.filters.length ? el("button", { type: "button", onclick: clear }, "Clear the filters") : "",
    );
  } else {
    const filtered = view.filters.length ? ", or does not match the filters" : "";
    box.replaceChildren(
      `Not in the list: older than the ${events(listed.length)} listed${filtered}. `,
      toIt(view, time, range.start),
    );
  }
}

function isOutside(time, { start, end }) {
  return (start !== null && time < start) || (end !== null && time > end);
}

/** A button that ends the range with this event, so that it is at the top of the list. */
function toIt(view, time, start) {
  const onclick = () => view.set({ last: null, start, end: time });
  return el(
    "button",
    { type: "button", title: `Events up to ${utc(time)} UTC`, onclick },
    "List events up to this one",
  );
}
