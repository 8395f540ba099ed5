// The table of events; each page is appended below the previous one.

import { column, DEFAULT_COLUMNS, isNamed } from "./columns.js";
import { verdictOf } from "./conventional.js";
import { byId, el } from "./dom.js";
import { visible } from "./format.js";
import { say } from "./language.js";
import { sentenceText } from "./sentences.js";
import { moment } from "./time-zone.js";

const LATE_SECONDS = 60;

export class Results {
  #onOpen;
  #events = [];
  #focused = null; // id of the event whose row had the focus when it was removed
  #columns = [];
  #late = new Set(); // ids of the events that were inserted late
  #names = null;
  #words = null; // states of the proofs, for print
  #body = byId("events").tBodies[0];

  /** `onOpen(event_id)` is called when the user opens an event. */
  constructor(onOpen) {
    this.#onOpen = onOpen;
    this.showColumns(null);
  }

  /** Show the columns of these names, or the default for null. */
  showColumns(names) {
    this.#names = names;
    this.#columns = (names ?? DEFAULT_COLUMNS).map(column);
    if (!this.#columns.some(({ name }) => name === "time")) this.#columns.unshift(column("time"));
    if (this.#words) this.#columns.push(proofColumn(this.#words));
    const heads = this.#columns.map(({ name, title }) =>
      el("th", { scope: "col", role: "columnheader", class: classOf(name) }, title()),
    );
    byId("events").tHead.rows[0].replaceChildren(...heads);
    this.#render();
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
    this.#late.clear();
    this.#render();
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

  /** Add newer events at the top. */
  prepend(events) {
    this.#events.unshift(...events);
    this.#body.prepend(...events.map((event) => this.#row(event)));
  }

  /**
   * Insert new events in time order, and mark those that came late. Returns the number of those that are not inserted,
   * because they belong below the listed ones, of which there are more if `hasOlder`.
   */
  insert(events, hasOlder) {
    const last = this.#events.at(-1);
    const listed = events.filter((event) => !hasOlder || !last || isNewer(event, last));
    for (const event of listed) {
      const place = this.#events.findIndex((other) => isNewer(event, other));
      if (isLate(event)) this.#late.add(event.event_id);
      const row = this.#row(event);
      row.classList.add("new");
      this.#body.insertBefore(row, this.#body.rows[place] ?? null);
      this.#events.splice(place < 0 ? this.#events.length : place, 0, event);
    }
    return events.length - listed.length;
  }

  /** Remove events before `start`, for a range that moves with the clock. Returns their number. */
  removeBefore(start) {
    const kept = this.#events.filter((event) => event.timestamp_utc >= start);
    const removed = this.#events.length - kept.length;
    while (this.#events.length > kept.length) {
      this.#events.pop();
      this.#body.lastChild.remove();
    }
    return removed;
  }

  /**
   * Show the whole data of each event and the state of its proof, for print. `words` has the state by event id; null
   * shows the list again as it is on the screen.
   */
  showReport(words) {
    this.#words = words;
    this.showColumns(this.#names);
  }

  /** Scroll to an event's row unless it is seen. */
  reveal(eventId) {
    this.#rowOf(eventId)?.scrollIntoView({ block: "nearest" });
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
    const row = this.#rowOf(eventId);
    (row?.querySelector("button") ?? byId("results")).focus({ preventScroll: !row });
  }

  #rowOf(eventId) {
    return [...this.#body.rows].find((row) => row.eventId === eventId);
  }

  #render() {
    const current = this.#body.querySelector("[aria-current]")?.eventId;
    this.#body.replaceChildren(...this.#events.map((event) => this.#row(event)));
    this.mark(current);
  }

  #row(event) {
    const open = () => this.#onOpen(event.event_id);
    const cells = this.#columns.map(({ name, content }) => {
      const inside =
        name === "time" ? opener(event, this.#late.has(event.event_id)) : content(event, this.#words !== null);
      return el("td", { role: "cell", class: classOf(name) }, inside);
    });
    const isFailure = verdictOf(event) === "failure";
    const row = el("tr", { role: "row", class: isFailure ? "failed" : "", onclick: open }, ...cells);
    row.eventId = event.event_id;
    return row;
  }
}

/** The column with the state of each event's proof. */
function proofColumn(words) {
  return {
    name: "proof",
    title: () => say("title.proof"),
    content: ({ event_id: id }) => words.get(id) ?? say("state.unchecked"),
  };
}

/** The button that opens an event: its time, and its sentence to screen readers. */
function opener(event, isMarkedLate) {
  const time = moment(event.timestamp_utc);
  const late = isMarkedLate ? say("list.late") : "";
  const said = [time, late, visible(event.event_type), visible(sentenceText(event) ?? "")].filter(Boolean).join(" ");
  const mark = isMarkedLate ? el("span", { class: "late" }, late) : null;
  return el("button", { type: "button", class: "time", "aria-label": said }, time, mark);
}

/** The class of a column's cells: that of a path is the same for all paths. */
function classOf(name) {
  return `column c-${isNamed(name) || name === "proof" ? name : "path"}`;
}

/** Whether an event was received long after it happened. */
function isLate({ timestamp_utc: happened, received_at: received }) {
  return Date.parse(received) / 1000 - happened > LATE_SECONDS;
}

/** Whether an event is listed above another: by time, then by id. */
function isNewer(event, other) {
  if (event.timestamp_utc !== other.timestamp_utc) return event.timestamp_utc > other.timestamp_utc;
  return event.event_id > other.event_id;
}
