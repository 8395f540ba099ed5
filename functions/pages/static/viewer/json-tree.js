// Collapsible tree of any JSON value. A branch is rendered when it is opened, long lists and strings in pieces, so
// that no event is too large or too deep to display.

import { copy, el } from "./dom.js";
import { visible } from "./format.js";
import { isScalar, members, pathOf } from "./paths.js";

const OPEN_LEVELS = 3;
const PIECE = 100;
const TEXT_PIECE = 2000;

/** Build the tree of a value. `onFilter(path, value)` is called when the user filters by a value. */
export function jsonTree(value, onFilter) {
  return el("ul", { class: "tree" }, ...branches(value, [], onFilter));
}

function branches(value, steps, onFilter, from = 0) {
  const all = members(value);
  const items = all.slice(from, from + PIECE).map(([step, inner]) => node(step, inner, [...steps, step], onFilter));
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
          onclick: () => more.replaceWith(...branches(value, steps, onFilter, from + PIECE)),
        },
        `Show more (${left} left)`,
      ),
    );
    items.push(more);
  }
  return items;
}

function node(step, value, steps, onFilter) {
  const key = el(
    "span",
    { class: "key" },
    el("bdi", {}, typeof step === "number" ? String(step) : visible(step) || '""'),
    ": ",
  );
  if (isScalar(value)) return el("li", { class: "leaf" }, key, scalar(value), actions(steps, value, onFilter));
  const size = members(value).length;
  const what = Array.isArray(value) ? `[${size}]` : `{${size}}`;
  const branch = el("details", {}, el("summary", {}, key, el("span", { class: "muted" }, what)));
  branch.addEventListener("toggle", () => {
    if (branch.open && branch.children.length === 1) branch.append(el("ul", {}, ...branches(value, steps, onFilter)));
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
      el("button", { type: "button", class: "quiet", onclick: all }, `Show all ${value.length} characters`),
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

function actions(steps, value, onFilter = null) {
  const path = pathOf(steps);
  const name = visible(path ?? steps.join("."));
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return el(
    "span",
    { class: "actions" },
    onFilter && path !== null
      ? el(
          "button",
          { type: "button", class: "quiet", "aria-label": `Filter by ${name}`, onclick: () => onFilter(path, value) },
          "filter",
        )
      : null,
    el(
      "button",
      { type: "button", class: "quiet", "aria-label": `Copy ${name}`, onclick: () => copy(text, name) },
      "copy",
    ),
  );
}
