// Chips of the active filters. Values of one field are alternatives ("or"); all fields must match ("and").

import { byId, el, keepFocus } from "./dom.js";
import { fieldName, visible } from "./format.js";
import { say } from "./language.js";

/** Show the filters of `view` now and after each change. */
export function chips(view) {
  const list = byId("chips");

  function show() {
    const items = [];
    for (const [name, filters] of Map.groupBy(view.filters, ([field]) => field)) {
      if (items.length) items.push(joint(say("filter.and")));
      for (const [index, [, value]] of filters.entries()) {
        if (index) items.push(joint(say("filter.or")));
        items.push(chip(name, value));
      }
    }
    if (view.filters.length > 1) {
      const clear = el(
        "button",
        { type: "button", class: "quiet", onclick: () => view.set({ filters: [] }) },
        say("filter.clearAll"),
      );
      items.push(el("li", {}, clear));
    }
    keepFocus(
      () => list.replaceChildren(...items),
      () => list.querySelector("button") ?? byId("add-filter"),
    );
  }

  function chip(name, value) {
    const label = fieldName(name);
    const remove = el(
      "button",
      {
        type: "button",
        "aria-label": say("filter.remove", { name: label, value: visible(value) }),
        onclick: () => view.remove(name, value),
      },
      "×",
    );
    return el(
      "li",
      { class: "chip" },
      el("span", { class: "muted" }, `${label} `),
      el("bdi", {}, visible(value)),
      remove,
    );
  }

  view.addEventListener("change", show);
  show();
}

function joint(word) {
  return el("li", { class: "joint muted" }, word);
}
