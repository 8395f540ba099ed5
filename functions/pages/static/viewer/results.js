// The table of events; each page is appended below the previous one.

import { byId, el } from "./dom.js";
import { utc, visible, visibleJson } from "./format.js";

const PREVIEW = 300;

export class Results {
  #onOpen;
  #events = [];
  #focused = null; // id of the event whose row had the focus when it was removed
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

  /** Replace all rows by these events. Call restoreFocus() once the table is visible. */
  replace(events) {
    this.#focused = document.activeElement.closest("#events tbody tr")?.eventId ?? this.#focused;
    this.#events = events;
    this.#body.replaceChildren(...events.map((event) => this.#row(event)));
  }

  /** Focus the event whose row had the focus, or else the list, unless another element has the focus now. */
  restoreFocus() {
    if (this.#focused && document.activeElement === document.body) this.focus(this.#focused);
    this.#focused = null;
  }

  /** Add older events at the bottom. */
  append(events) {
    this.#events.push(...events);
    this.#body.append(...events.map((event) => this.#row(event)));
  }

  /** Insert new events in time order: late events do not belong at the top. */
  insert(events) {
    for (const event of events) {
      const place = this.#events.findIndex((other) => isNewer(event, other));
      const row = this.#row(event);
      row.classList.add("new");
      this.#body.insertBefore(row, this.#body.rows[place] ?? null);
      this.#events.splice(place < 0 ? this.#events.length : place, 0, event);
    }
  }

  /** Remove events before `start`, for a range that moves with the clock. */
  removeBefore(start) {
    const kept = this.#events.filter((event) => event.timestamp_utc >= start);
    while (this.#events.length > kept.length) {
      this.#events.pop();
      this.#body.lastChild.remove();
    }
  }

  /** Show the whole data of each event, for print, or only its beginning. */
  showInFull(isFull) {
    for (const [index, row] of [...this.#body.rows].entries()) {
      const data = this.#events[index].event_data;
      row.cells[3].firstChild.textContent = isFull ? visibleJson(JSON.stringify(data)) : preview(data);
    }
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

  /** Focus an event's row, or the list if it is not in it. */
  focus(eventId) {
    const row = [...this.#body.rows].find((one) => one.eventId === eventId);
    (row?.querySelector("button") ?? byId("results")).focus({ preventScroll: !row });
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

/** Whether an event is listed above another: by time, then by id. */
function isNewer(event, other) {
  if (event.timestamp_utc !== other.timestamp_utc) return event.timestamp_utc > other.timestamp_utc;
  return event.event_id > other.event_id;
}

function preview(data) {
  return visibleJson(JSON.stringify(data).slice(1, PREVIEW)).replace(/\}$/u, "");
}
