// The head of a printed report: the question, its range, the result, and when and by whom it was printed.

import { byId, el } from "./dom.js";
import { fieldName, visible } from "./format.js";
import { exactMoment } from "./time-zone.js";
import { rangeText } from "./time-range.js";

/** Fill the head for the `view`. `result` is the line above the list, `proofs` one on the proofs, `who` the client. */
export function fillReport({ view, range, result, proofs, who, now }) {
  const rows = [
    ["Question", question(view.filters)],
    ["Range", rangeText(range)],
    ["Result", result || "No events"],
    ["Proofs", proofs],
    ["Printed", `${exactMoment(now)}${who ? ` by ${who}` : ""}`],
    ["Source", location.href],
  ];
  byId("report").replaceChildren(
    el("h2", {}, visible(view.name ?? "Audit log report")),
    el("dl", {}, ...rows.flatMap(([name, text]) => [el("dt", {}, name), el("dd", {}, el("bdi", {}, text))])),
  );
}

/** The filters in words: values of one field are alternatives, and all fields must match. */
function question(filters) {
  const fields = [...Map.groupBy(filters, ([name]) => name)].map(
    ([name, of]) => `${fieldName(name)} is ${of.map(([, value]) => visible(value)).join(" or ")}`,
  );
  return fields.length ? `Events whose ${fields.join(", and ")}` : "All events";
}
