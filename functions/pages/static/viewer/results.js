// The table of events; each page is appended below the previous one.

import { byId, el } from "./dom.js";
import { utc, visible } from "./format.js";

const PREVIEW = 300;

export class Results {
  #onOpen;
  #events = [];
  #body = byId("events").tBodies[0];

  /** `onOpen(event_id)` is called when the user opens an event. */
  constructor(onOpen) {
    this.#onOpen = onOpen;
  }

  get events() {
    return this.#events;
  }

  find(eventId) {
    return this.#events.find((event) => event.event_id === eventId);
  }

  /** Replace all rows by these events. */
  replace(events) {
    this.#events = events;
    this.#body.replaceChildren(...events.map((event) => this.#row(event)));
  }

  /** Add older events at the bottom. */
  append(events) {
    this.#events.push(...events);
    this.#body.append(...events.map((event) => this.#row(event)));
  }

  /** Add newer events at the top. */
  prepend(events) {
    this.#events.unshift(...events);
    const rows = events.map((event) => this.#row(event));
    for (const row of rows) row.classList.add("new");
    this.#body.prepend(...rows);
  }

  /** Mark the event whose detail is open. */
  mark(eventId) {
    for (const row of this.#body.rows) {
      if (row.eventId === eventId) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  }

  /** Move the focus by `by` rows, or to the first row if none has it. Returns the event's id or null. */
  step(by) {
    const rows = [...this.#body.rows];
    const at = rows.findIndex((row) => row.contains(document.activeElement) || row.getAttribute("aria-current"));
    const row = rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by))];
    row?.querySelector("button").focus();
    return row?.eventId ?? null;
  }

  focus(eventId) {
    [...this.#body.rows]
      .find((row) => row.eventId === eventId)
      ?.querySelector("button")
      .focus();
  }

  #row(event) {
    const type = visible(event.event_type);
    const time = utc(event.timestamp_utc);
    const open = () => this.#onOpen(event.event_id);
    const row = el(
      "tr",
      { onclick: open },
      el("td", {}, el("button", { type: "button", class: "time", "aria-label": `${time} ${type}` }, time)),
      el("td", { class: "type" }, el("bdi", {}, type)),
      el("td", { class: "number" }, JSON.stringify(event.customer_id)),
      el("td", { class: "data" }, el("bdi", {}, preview(event.event_data))),
      el("td", { class: "by" }, el("bdi", {}, visible(event.recorded_by))),
    );
    row.eventId = event.event_id;
    return row;
  }
}

function preview(data) {
  return visible(JSON.stringify(data).slice(1, PREVIEW)).replace(/\}$/u, "");
}
