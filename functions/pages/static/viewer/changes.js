// The changes that an event records: its `changes`, or a pair of members such as `before` and `after`.

import { CHANGE_PAIRS } from "./conventional.js";
import { el } from "./dom.js";
import { visible, visibleJson } from "./format.js";
import { say } from "./language.js";
import { isScalar, members } from "./paths.js";

const MOST = 200;

/** List the changes of an event's data: [{path, from, to}], where undefined stands for no value. */
export function changesOf(data) {
  if (Array.isArray(data.changes)) {
    return data.changes
      .filter((change) => change && typeof change === "object" && ("from" in change || "to" in change))
      .slice(0, MOST)
      .map(({ path, from, to }) => ({ path: typeof path === "string" ? path : "", from, to }));
  }
  const pair = CHANGE_PAIRS.find(([old, now]) => Object.hasOwn(data, old) && Object.hasOwn(data, now));
  return pair ? difference(data[pair[0]], data[pair[1]]).slice(0, MOST) : [];
}

/** Build a table of changes: removed values are struck out, added ones underlined, each with a sign. */
export function changesTable(changes) {
  const rows = changes.map(({ path, from, to }) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, el("bdi", {}, visible(path) || say("changes.value"))),
      el("td", {}, from === undefined ? "" : value("del", "−", from)),
      el("td", {}, to === undefined ? "" : value("ins", "+", to)),
    ),
  );
  const head = ["path", "before", "after"].map((name) => el("th", { scope: "col" }, say(`changes.${name}`)));
  return el("table", { class: "changes" }, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows));
}

function value(tag, sign, content) {
  const text = typeof content === "string" ? visible(content) : visibleJson(JSON.stringify(content));
  return el(tag, {}, el("span", { class: "sign" }, `${sign} `), el("bdi", {}, text));
}

/** Compare two values member by member. */
function difference(from, to, path = "") {
  if (isScalar(from) || isScalar(to) || Array.isArray(from) || Array.isArray(to)) {
    return JSON.stringify(from) === JSON.stringify(to) ? [] : [{ path, from, to }];
  }
  const names = new Set([...members(from), ...members(to)].map(([name]) => name));
  return [...names].flatMap((name) => {
    const inner = path ? `${path}.${name}` : name;
    if (!Object.hasOwn(from, name)) return [{ path: inner, from: undefined, to: to[name] }];
    if (!Object.hasOwn(to, name)) return [{ path: inner, from: from[name], to: undefined }];
    return difference(from[name], to[name], inner);
  });
}
