// The most frequent values at one path of event_data, of the events that match the filters, to narrow the list by.

import { el } from "./dom.js";
import { visible } from "./format.js";
import { noteOf } from "./known-values.js";
import { number, say } from "./language.js";

const SHOWN = 10;

/**
 * Build the list from the promise of a summary with `by`. `onFilter(value)` is called when the user chooses a value.
 */
export function valueCounts(summary, onFilter) {
  const box = el("div", { class: "value-counts", role: "status" }, say("count.busy"));
  fill(box, summary, onFilter);
  return box;
}

async function fill(box, summary, onFilter) {
  try {
    const { values, sample, sample_relation: relation } = (await summary).frequent;
    const items = values.slice(0, SHOWN).map(({ value, count }) => el("li", {}, row(value, count, onFilter)));
    const left = values.length - SHOWN;
    const note = values.length ? noteOf(sample, relation) : say("count.none");
    const rest = left > 0 ? [el("span", { class: "muted" }, say("facets.more", { count: left }))] : [];
    box.replaceChildren(el("span", { class: "muted" }, note), el("ul", {}, ...items), ...rest);
  } catch (error) {
    box.replaceChildren(visible(error.message));
  }
}

function row(value, count, onFilter) {
  return el(
    "button",
    { type: "button", onclick: () => onFilter(value) },
    el("bdi", {}, visible(typeof value === "string" ? value : JSON.stringify(value))),
    el("span", { class: "facet-count" }, number(count)),
  );
}
