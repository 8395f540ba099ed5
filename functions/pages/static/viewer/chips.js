// Chips of the active filters. Values of one field are alternatives ("or"); all fields must match ("and").

import { operatorChoice } from "./chip-operator.js";
import { byId, el, keepFocus } from "./dom.js";
import { fieldName, operatorName, splitOperator, visible } from "./format.js";
import { say } from "./language.js";

/** Show the filters of `view` now and after each change. */
export function chips(view) {
  const list = byId("chips");
  let changed = null; // the filter whose operator was just chosen, and which gets the focus

  /** What gets the focus in place of a control that is replaced. */
  function following() {
    return list.querySelector(".chosen") ?? list.querySelector("button") ?? byId("add-filter");
  }

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
    keepFocus(() => list.replaceChildren(...items), following);
    changed = null;
  }

  function chip(name, value) {
    const [field, operator] = splitOperator(name);
    const label = fieldName(field);
    const named = `${label} ${visible(value)}`;
    const choice = operatorChoice(field, operator, named, (chosen) => replace(name, value, field + chosen));
    if (isSame(changed, [name, value])) choice?.classList.add("chosen");
    const remove = el(
      "button",
      {
        type: "button",
        "aria-label": say("filter.remove", { name: fieldName(name), value: visible(value) }),
        onclick: () => view.remove(name, value),
      },
      "×",
    );
    const fixed = operator ? `${operatorName(operator)} ` : "";
    return el(
      "li",
      { class: "chip" },
      el("span", { class: "muted" }, choice ? `${label} ` : `${label} ${fixed}`),
      choice,
      el("bdi", {}, visible(value)),
      remove,
    );
  }

  function replace(name, value, parameter) {
    changed = [parameter, value];
    const filters = view.filters.filter((filter) => !isSame(filter, changed));
    view.set({ filters: filters.map((filter) => (isSame(filter, [name, value]) ? changed : filter)) });
  }

  view.addEventListener("change", show);
  show();
}

function isSame(one, other) {
  return one !== null && one[0] === other[0] && one[1] === other[1];
}

function joint(word) {
  return el("li", { class: "joint muted" }, word);
}
