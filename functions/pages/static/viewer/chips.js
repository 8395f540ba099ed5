// Chips of the active filters. Values of one field are alternatives ("or"); all fields must match ("and").

import { byId, el, keepFocus } from "./dom.js";
import { fieldName, visible } from "./format.js";

/** Show the filters of `view` now and after each change. */
export function chips(view) {
  const list = byId("chips");

  function show() {
    const items = [];
    for (const [name, filters] of Map.groupBy(view.filters, ([field]) => field)) {
      if (items.length) items.push(joint("and"));
      for (const [index, [, value]] of filters.entries()) {
        if (index) items.push(joint("or"));
        items.push(chip(name, value));
      }
    }
    if (view.filters.length > 1) {
      const clear = el(
        "button",
        { type: "button", class: "quiet", onclick: () => view.set({ filters: [] }) },
        "Clear all",
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
        "aria-label": `Remove filter ${label} ${visible(value)}`,
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
