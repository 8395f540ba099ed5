// The facets: the most frequent values of each field, with the number of events, to narrow the list by.

import { verdict } from "./conventional.js";
import { byId, el, keepFocus } from "./dom.js";
import { visible } from "./format.js";
import { number, say } from "./language.js";

const FIELDS = new Set(["outcome", "type", "actor", "address", "customer"]);
const SHOWN = 5;
const NARROW = matchMedia("(max-width: 1099px)");

/** Set up the facets of `known`, KnownValues. Returns {show()}. */
export function facets(view, known) {
  const box = byId("facets");
  const list = byId("facet-groups");
  let shown = "";
  box.open = !NARROW.matches;

  function show() {
    const groups = known.groups().filter(({ name, options }) => FIELDS.has(name) && options.length);
    box.hidden = !groups.length;
    const key = JSON.stringify([groups, view.filters]);
    if (key === shown) return; // a value that is being pressed stays
    shown = key;
    const focused = document.activeElement?.facet;
    keepFocus(
      () => list.replaceChildren(...groups.map(group)),
      () => [...list.querySelectorAll("button")].find(({ facet }) => facet === focused) ?? byId("results"),
    );
  }

  function group({ name, title, note, options }) {
    const items = options.slice(0, SHOWN).map((option) => el("li", {}, value(name, option)));
    const left = options.length - SHOWN;
    return el(
      "section",
      { class: "facet", "aria-label": title },
      el("h2", {}, title, el("span", { class: "facet-note" }, ` ${note}`)),
      el("ul", {}, ...items),
      left > 0 ? el("p", { class: "muted small" }, say("facets.more", { count: left })) : null,
    );
  }

  function value(name, { parameter, value: wanted, label, count }) {
    const isOn = view.filters.some((filter) => filter[0] === parameter && filter[1] === wanted);
    const sign = name === "outcome" && verdict(wanted) === "failure" ? "✕ " : "";
    const button = el(
      "button",
      {
        type: "button",
        "aria-pressed": String(isOn),
        onclick: () => (isOn ? view.remove(parameter, wanted) : view.add(parameter, wanted)),
      },
      el(
        "span",
        { class: "facet-value" },
        el("span", { "aria-hidden": "true" }, sign),
        el("bdi", {}, name === "outcome" ? outcomeLabel(wanted, label) : visible(label)),
      ),
      el("span", { class: "facet-count" }, count === null ? "" : number(count)),
    );
    button.facet = `${parameter}=${wanted}`;
    return button;
  }

  view.addEventListener("change", show);
  return { show };
}

function outcomeLabel(value, label) {
  const known = verdict(value);
  return known ? say(`outcome.${known}`) : visible(label);
}
