// Collapsible tree of any JSON value. A branch is rendered when it is opened, long lists and strings in pieces, so
// that no event is too large or too deep to display.

import { copy, el } from "./dom.js";
import { visible } from "./format.js";
import { say } from "./language.js";
import { isScalar, members, pathOf } from "./paths.js";

const OPEN_LEVELS = 3;
const PIECE = 100;
const TEXT_PIECE = 2000;

/**
 * Build the tree of a value. `uses.onFilter(path, value)` is called when the user filters by a value, and
 * `uses.counts(path)` builds the element with the values of all matching events at the same path.
 */
export function jsonTree(value, uses) {
  return el("ul", { class: "tree" }, ...branches(value, [], uses));
}

function branches(value, steps, uses, from = 0) {
  const all = members(value);
  const items = all.slice(from, from + PIECE).map(([step, inner]) => node(step, inner, [...steps, step], uses));
  const left = all.length - from - PIECE;
  if (left > 0) {
    const more = el(
      "li",
      {},
      el(
        "button",
        {
          type: "button",
          class: "quiet",
          onclick: () => more.replaceWith(...branches(value, steps, uses, from + PIECE)),
        },
        say("tree.more", { count: left }),
      ),
    );
    items.push(more);
  }
  return items;
}

function node(step, value, steps, uses) {
  const key = el(
    "span",
    { class: "key" },
    el("bdi", {}, typeof step === "number" ? String(step) : visible(step) || '""'),
    ": ",
  );
  if (isScalar(value)) return el("li", { class: "leaf" }, key, scalar(value), actions(steps, value, uses));
  const size = members(value).length;
  const what = Array.isArray(value) ? `[${size}]` : `{${size}}`;
  const branch = el("details", {}, el("summary", {}, key, el("span", { class: "muted" }, what)));
  branch.addEventListener("toggle", () => {
    if (branch.open && branch.children.length === 1) branch.append(el("ul", {}, ...branches(value, steps, uses)));
  });
  branch.open = steps.length < OPEN_LEVELS && size <= PIECE;
  return el("li", {}, branch, actions(steps, value));
}

function scalar(value) {
  if (typeof value !== "string") {
    return el("span", { class: classOf(value) }, JSON.stringify(value));
  }
  // Quoted, to distinguish the string "true" from the boolean.
  const box = el("span", { class: "string" }, '"', el("bdi", {}, visible(value.slice(0, TEXT_PIECE))));
  if (value.length > TEXT_PIECE) {
    const all = () => box.replaceChildren('"', el("bdi", {}, visible(value)), '"');
    box.append(
      "… ",
      el("button", { type: "button", class: "quiet", onclick: all }, say("tree.all", { count: value.length })),
    );
  } else {
    box.append('"');
  }
  return box;
}

/** The CSS class of a scalar that is not a string. A raw JSON number is an object to JavaScript. */
function classOf(value) {
  if (value === null) return "null";
  return typeof value === "boolean" ? "boolean" : "numeric";
}

function actions(steps, value, uses = null) {
  const path = pathOf(steps);
  const name = visible(path ?? steps.join("."));
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return el(
    "span",
    { class: "actions" },
    ...(uses && path !== null ? [filterButton(path, name, value, uses), countButton(path, name, uses)] : []),
    el(
      "button",
      {
        type: "button",
        class: "quiet",
        "aria-label": say("action.copyName", { name }),
        onclick: () => copy(text, name),
      },
      say("action.copy"),
    ),
  );
}

function filterButton(path, name, value, { onFilter }) {
  const attributes = {
    class: "quiet",
    "aria-label": say("action.filterBy", { name }),
    onclick: () => onFilter(path, value),
  };
  return el("button", { type: "button", ...attributes }, say("action.filter"));
}

function countButton(path, name, { counts }) {
  const attributes = { class: "quiet", "aria-label": say("action.countValues", { name }), "aria-expanded": "false" };
  const button = el("button", { type: "button", ...attributes, onclick: toggle }, say("action.count"));
  function toggle() {
    const leaf = button.closest("li");
    const shown = leaf.querySelector(".value-counts");
    if (shown) shown.remove();
    else leaf.append(counts(path));
    button.setAttribute("aria-expanded", String(!shown));
  }
  return button;
}
