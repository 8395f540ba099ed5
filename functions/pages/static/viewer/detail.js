// The detail panel of one event.

import { byId, copy, el } from "./dom.js";
import { changesOf, changesTable } from "./changes.js";
import { visible } from "./format.js";
import { follow } from "./follow.js";
import { jsonTree } from "./json-tree.js";
import { parameterValue } from "./paths.js";
import { sentenceText } from "./sentences.js";
import { exactMoment, zone } from "./time-zone.js";
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
  const changes = changesOf(event.event_data);
  const parts = [
    head(visible(sentenceText(event) ?? event.event_type), onClose),
    el("p", { id: "event-place", class: "event-place", hidden: true }),
    proof,
    follow(view, event),
    el(
      "div",
      { class: "detail-actions" },
      el("button", { type: "button", onclick: () => copy(JSON.stringify(event, null, 2), "Event") }, "Copy JSON"),
      el("button", { type: "button", onclick: () => copy(location.href, "Link") }, "Copy link"),
    ),
    changes.length ? el("h3", {}, "Changes") : null,
    changes.length ? changesTable(changes) : null,
    el("h3", {}, "Event"),
    el(
      "dl",
      { class: "facts" },
      ...fact("Event type", event.event_type, () => onFilter("event_type", event.event_type)),
      ...fact("Customer", JSON.stringify(event.customer_id), () =>
        onFilter("customer_id", JSON.stringify(event.customer_id)),
      ),
      ...fact("Happened", exactMoment(event.timestamp_utc)),
      ...(zone() === "UTC" ? [] : fact("Happened, UTC", new Date(event.timestamp_utc * 1000).toISOString())),
      ...fact("Received", event.received_at.replace("T", " ").replace("Z", " UTC")),
      ...fact("Recorded by", event.recorded_by),
      ...fact("Event id", event.event_id),
    ),
    el("h3", {}, "Data"),
    jsonTree(event.event_data, { onFilter: narrow, counts }),
  ];
  panel.replaceChildren(...parts.filter((part) => part !== null));
  show();
}

/** Show why there is no event. */
export function showNoDetail(message, onClose) {
  panel.replaceChildren(head("No event", onClose), el("p", { class: "empty" }, message));
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
    el("button", { type: "button", class: "quiet", "aria-label": "Close event", onclick: onClose }, "×"),
  );
}

function fact(name, value, onFilter = null) {
  const filter =
    onFilter &&
    el("button", { type: "button", class: "quiet", "aria-label": `Filter by ${name}`, onclick: onFilter }, "filter");
  return [
    el("dt", {}, name),
    el(
      "dd",
      {},
      el("bdi", {}, visible(value)),
      el(
        "span",
        { class: "actions" },
        filter,
        el(
          "button",
          { type: "button", class: "quiet", "aria-label": `Copy ${name}`, onclick: () => copy(value, name) },
          "copy",
        ),
      ),
    ),
  ];
}
