// Ways on from one event: everything by its actor, address, session or target, and the events around it in time. The
// event stays open, so that its row is seen among the others.

import { fieldOf } from "./conventional.js";
import { el } from "./dom.js";
import { visible } from "./format.js";
import { parameterValue } from "./paths.js";
import { around } from "./ranges.js";

const AROUND_SECONDS = 300;
const FIELDS = [
  ["actor", "All by"],
  ["address", "All from"],
  ["session", "All in session"],
  ["target", "All on"],
];

/** Build the buttons for an event. They replace the filters by one, within the event's customer. */
export function follow(view, event) {
  const customer = ["customer_id", JSON.stringify(event.customer_id)];
  const ways = FIELDS.map(([name, words]) => [words, fieldOf(event, name)])
    .filter(([, found]) => found)
    .map(([words, { path, value, label }]) => {
      const filters = [customer, [`event_data.${path}`, parameterValue(value)]];
      return way([`${words} `, el("bdi", {}, visible(label))], () => view.set({ filters }));
    });
  const near = { last: null, ...around(event.timestamp_utc, AROUND_SECONDS) };
  ways.push(way(["Events within 5 minutes"], () => view.set({ filters: [customer], ...near })));
  return el("div", { class: "follow", role: "group", "aria-label": "Follow" }, ...ways);
}

function way(content, onclick) {
  return el("button", { type: "button", onclick }, ...content);
}
