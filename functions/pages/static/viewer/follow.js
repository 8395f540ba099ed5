// Ways on from one event: everything by its actor, address, session or target, and the events around it in time. The
// event stays open, so that its row is seen among the others.

import { fieldOf } from "./conventional.js";
import { el } from "./dom.js";
import { visible } from "./format.js";
import { isEmbedded } from "./host.js";
import { say, sayParts } from "./language.js";
import { parameterValue } from "./paths.js";
import { around } from "./ranges.js";

const AROUND_SECONDS = 300;
const FIELDS = ["actor", "address", "session", "target"];

/** Build the buttons for an event. They replace the filters by one, within the event's customer. */
export function follow(view, event) {
  const customer = isEmbedded ? [] : [["customer_id", JSON.stringify(event.customer_id)]];
  const ways = FIELDS.map((name) => [name, fieldOf(event, name)])
    .filter(([, found]) => found)
    .map(([name, { path, value, label }]) => {
      const filters = [...customer, [`event_data.${path}`, parameterValue(value)]];
      return way(sayParts(`follow.${name}`, { value: el("bdi", {}, visible(label)) }), () => view.set({ filters }));
    });
  const near = { last: null, ...around(event.timestamp_utc, AROUND_SECONDS) };
  ways.push(way([say("follow.near")], () => view.set({ filters: customer, ...near })));
  return el("div", { class: "follow", role: "group", "aria-label": say("follow.section") }, ...ways);
}

function way(content, onclick) {
  return el("button", { type: "button", onclick }, ...content);
}
