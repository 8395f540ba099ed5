// Columns of the list: those with a name, any path into event_data, and the menu that chooses them.

import { fieldOf, targetsOf, verdictOf } from "./conventional.js";
import { byId, el } from "./dom.js";
import { visible, visibleJson } from "./format.js";
import { isEmbedded } from "./host.js";
import { say } from "./language.js";
import { isScalar, pathProblem, valueAt } from "./paths.js";
import { sentenceOf } from "./sentences.js";
import { moment, received, zone } from "./time-zone.js";

const PREVIEW = 300;
const MOST_ASKED = 20;

/** Each column: its heading, and its cell's content for an event. `isFull`: all data, for print. */
const NAMED = new Map([
  ["time", { title: () => say("title.time", { zone: zone() }), content: (event) => moment(event.timestamp_utc) }],
  ["event", { title: () => say("title.event"), content: sentence }],
  ["outcome", { title: () => say("title.outcome"), content: outcome }],
  ["type", { title: () => say("title.type"), content: (event) => bdi(visible(event.event_type)) }],
  ["actor", conventional("actor")],
  ["target", { title: () => say("title.targets"), content: (event) => bdi(visible(targetsOf(event).join(", "))) }],
  ["action", conventional("action")],
  ["address", conventional("address")],
  ["session", conventional("session")],
  ["customer", { title: () => say("title.customer"), content: (event) => JSON.stringify(event.customer_id) }],
  ["data", { title: () => say("title.data"), content: data }],
  ["recorded_by", { title: () => say("title.recordedBy"), content: (event) => bdi(visible(event.recorded_by)) }],
  ["received", { title: () => say("title.receivedUtc"), content: (event) => received(event.received_at) }],
  ["event_id", { title: () => say("title.id"), content: (event) => event.event_id }],
]);

if (isEmbedded) NAMED.delete("customer"); // the host chose it
export const DEFAULT_COLUMNS = defaultColumns();

/** The column of this name: {name, title(), content(event, isFull)}. A name that is not known is a path. */
export function column(name) {
  const known = NAMED.get(name);
  if (known) return { name, ...known };
  return { name, title: () => visible(name), content: (event) => bdi(textAt(event, name)) };
}

/** Whether a column has this name, which is otherwise a path into event_data. */
export function isNamed(name) {
  return NAMED.has(name);
}

/** Set up the menu: checkboxes of the named columns and of the paths in use, and a field for another path. */
export function columnChoice(view) {
  const menu = byId("columns-menu");
  const form = byId("column-path");
  const wrong = byId("column-problem");
  const chosen = () => view.columns ?? DEFAULT_COLUMNS;

  function show() {
    const names = [...NAMED.keys(), ...chosen().filter((name) => !NAMED.has(name))];
    const focused = document.activeElement.value;
    menu.querySelector("ul").replaceChildren(...names.map((name) => el("li", {}, choice(name))));
    const again = [...menu.querySelectorAll("[type=checkbox]")].find(({ value }) => value === focused);
    if (menu.matches(":popover-open")) again?.focus();
  }

  function choice(name) {
    const box = el("input", { type: "checkbox", value: name, onchange: () => toggle(name, box.checked) });
    box.checked = chosen().includes(name);
    box.disabled = name === "time"; // its button opens the event
    return el("label", { class: "check" }, box, column(name).title());
  }

  function toggle(name, isOn) {
    const names = isOn ? [...chosen(), name] : chosen().filter((other) => other !== name);
    view.set({ columns: isDefault(names) ? null : names });
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const path = form.elements.path.value.trim();
    wrong.textContent = pathProblem(path) ?? "";
    if (wrong.textContent) return;
    form.reset();
    if (!chosen().includes(path)) toggle(path, true);
  });
  byId("columns-default").addEventListener("click", () => view.set({ columns: null }));
  view.addEventListener("change", show);
  show();
}

/** Those that the page around this one asks for in the address, as far as they are columns. */
function defaultColumns() {
  const asked = isEmbedded ? (new URLSearchParams(location.search).get("columns") ?? "").split(",") : [];
  const known = asked.map((name) => name.trim()).filter((name) => name && !pathProblem(name) && name !== "customer");
  if (known.length) return [...new Set(known)].slice(0, MOST_ASKED);
  return ["time", "event", "outcome", "type", "address", "customer"].filter((name) => NAMED.has(name));
}

function isDefault(names) {
  return names.join() === DEFAULT_COLUMNS.join();
}

function conventional(name) {
  return { title: () => say(`title.${name}`), content: (event) => bdi(visible(fieldOf(event, name)?.label ?? "")) };
}

/** The sentence, with the data in small if there is none. */
function sentence(event, isFull) {
  const said = sentenceOf(event);
  if (!said) return el("span", { class: "data" }, data(event, isFull));
  const { actor, words, targets } = said;
  const parts = said.parts?.map(part) ?? [
    actor === null ? "" : el("strong", {}, bdi(visible(actor))),
    actor === null ? visible(words) : ` ${visible(words)}`,
    targets ? el("span", { class: "target" }, " ", bdi(visible(targets))) : "",
  ];
  const line = el("span", { class: "sentence" }, ...parts);
  return isFull ? el("div", {}, line, el("div", { class: "data" }, data(event, true))) : line;
}

/** A part of a sentence of the catalogue. */
function part({ name, text }) {
  if (name === null) return visible(text);
  return name.split(".", 1)[0] === "actor" ? el("strong", {}, bdi(visible(text))) : bdi(visible(text));
}

/** The outcome as a sign and a word, so that it does not depend on colour. */
function outcome(event) {
  const verdict = verdictOf(event);
  if (!verdict) return bdi(visible(fieldOf(event, "outcome")?.label ?? ""));
  const sign = verdict === "failure" ? "✕" : "✓";
  return el(
    "span",
    { class: `outcome ${verdict}` },
    el("span", { "aria-hidden": "true" }, sign),
    ` ${say(`outcome.${verdict}`)}`,
  );
}

function data(event, isFull) {
  const json = JSON.stringify(event.event_data);
  return bdi(isFull ? visibleJson(json) : visibleJson(json.slice(1, PREVIEW)).replace(/\}$/u, ""));
}

function textAt(event, path) {
  const value = valueAt(event.event_data, path);
  if (value === undefined) return "";
  return typeof value === "string" && isScalar(value) ? visible(value) : visibleJson(JSON.stringify(value));
}

function bdi(text) {
  return el("bdi", {}, text);
}
