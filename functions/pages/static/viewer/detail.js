// The detail panel of one event.

import { byId, copy, el } from "./dom.js";
import { changesOf, changesTable } from "./changes.js";
import { visible } from "./format.js";
import { follow } from "./follow.js";
import { jsonTree } from "./json-tree.js";
import { say } from "./language.js";
import { parameterValue } from "./paths.js";
import { sentenceText } from "./sentences.js";
import { exactMoment, received, zone } from "./time-zone.js";
import { valueCounts } from "./value-counts.js";

const panel = byId("detail");

/**
 * Show an event of `view` with the section of its `proof`. `count(path)` fetches a summary of the values at a path,
 * and `onClose()` is called at the end.
 */
export function showDetail(event, { view, proof, count, onClose }) {
  const onFilter = (name, value) => view.add(name, value);
  const narrow = (path, value) => onFilter(`event_data.${path}`, parameterValue(value));
  const counts = (path) => valueCounts(count(path), (value) => narrow(path, value));
  const customer = JSON.stringify(event.customer_id);
  const changes = changesOf(event.event_data);
  const parts = [
    head(visible(sentenceText(event) ?? event.event_type), onClose),
    el("p", { id: "event-place", class: "event-place", hidden: true }),
    proof,
    follow(view, event),
    el(
      "div",
      { class: "detail-actions" },
      el(
        "button",
        { type: "button", onclick: () => copy(JSON.stringify(event, null, 2), say("detail.section")) },
        say("copy.json"),
      ),
      el(
        "button",
        { type: "button", class: "alone", onclick: () => copy(location.href, say("copy.link")) },
        say("share.copy"),
      ),
    ),
    changes.length ? el("h3", {}, say("detail.changes")) : null,
    changes.length ? changesTable(changes) : null,
    el("h3", {}, say("detail.section")),
    el(
      "dl",
      { class: "facts" },
      ...fact(say("title.type"), event.event_type, () => onFilter("event_type", event.event_type)),
      ...fact(say("title.customer"), customer, () => onFilter("customer_id", customer), "alone"),
      ...fact(say("title.happened"), exactMoment(event.timestamp_utc)),
      ...(zone() === "UTC" ? [] : fact(say("title.happenedUtc"), new Date(event.timestamp_utc * 1000).toISOString())),
      ...fact(say("title.received"), `${received(event.received_at).replace("Z", "")} UTC`),
      ...fact(say("title.recordedBy"), event.recorded_by),
      ...fact(say("title.id"), event.event_id),
    ),
    el("h3", {}, say("title.data")),
    event.erased ? el("p", { class: "empty" }, erasure(event.erased)) : null,
    event.erased ? null : jsonTree(event.event_data, { onFilter: narrow, counts }),
  ];
  panel.replaceChildren(...parts.filter((part) => part !== null));
  show();
}

/** Show why there is no event. */
export function showNoDetail(message, onClose) {
  panel.replaceChildren(head(say("detail.none"), onClose), el("p", { class: "empty" }, message));
  show();
}

export function hideDetail() {
  panel.hidden = true;
  panel.replaceChildren();
}

function show() {
  panel.hidden = false;
  panel.scrollTop = 0;
  panel.focus({ preventScroll: true });
}

function head(title, onClose) {
  return el(
    "div",
    { class: "detail-head" },
    el("h2", {}, el("bdi", {}, title)),
    el("button", { type: "button", class: "quiet", "aria-label": say("detail.close"), onclick: onClose }, "×"),
  );
}

function erasure({ at, by_event: record, whole }) {
  return say(whole ? "detail.erasedWhole" : "detail.erased", { day: at.slice(0, 10), record });
}

function fact(name, value, onFilter = null, className = "") {
  const filter =
    onFilter &&
    el(
      "button",
      { type: "button", class: "quiet", "aria-label": say("action.filterBy", { name }), onclick: onFilter },
      say("action.filter"),
    );
  return [
    el("dt", { class: className }, name),
    el(
      "dd",
      { class: className },
      el("bdi", {}, visible(value)),
      el(
        "span",
        { class: "actions" },
        filter,
        el(
          "button",
          {
            type: "button",
            class: "quiet",
            "aria-label": say("action.copyName", { name }),
            onclick: () => copy(value, name),
          },
          say("action.copy"),
        ),
      ),
    ),
  ];
}
