// The events of a view as a window that grows at both ends: from the newest on, or around an event that is deep in it.

import { isOutside } from "./event-place.js";

const START = "timestamp_start_utc";
const END = "timestamp_end_utc";
const MOST_PAGES = 20; // fetched at once: of events in one second, or of a search that has found nothing yet

export class EventList {
  #api;
  #older = null; // {parameters, cursor} of the next page of older events, null at the end
  #newer = null; // the same in ascending order, null at the newest event
  #searchedTo = null;

  constructor(api) {
    this.#api = api;
  }

  /** The second that a search has reached which ended before its page was full, or null. */
  get searchedTo() {
    return this.#older && this.#searchedTo;
  }

  get hasOlder() {
    return this.#older !== null;
  }

  get hasNewer() {
    return this.#newer !== null;
  }

  /**
   * Fetch the newest events for `parameters`, or, if `wanted()` is an event that matches but is older, those around it.
   * Resolves to {events, page}: the events, newest first, and the first page, which has the totals.
   */
  async load(parameters, wanted, signal) {
    const page = await this.#api.get("event", parameters, signal);
    const event = await wanted();
    const last = page.events.at(-1);
    const isDeep = event && last && event.timestamp_utc <= last.timestamp_utc && page.next_cursor !== null;
    const isListed = page.events.some((one) => one.event_id === event?.event_id);
    if (isDeep && !isListed && !isOutside(event.timestamp_utc, rangeOf(parameters))) {
      const events = await this.#around(event, parameters, signal);
      if (events) return { events, page };
    }
    this.#newer = null;
    this.#older = this.#after(parameters, page);
    const events = [...page.events];
    for (let pages = 1; !events.length && this.#older && pages < MOST_PAGES; pages++) {
      events.push(...(await this.loadOlder(signal))); // a search may end before it finds anything
    }
    return { events, page };
  }

  /** Fetch the next older events. */
  async loadOlder(signal) {
    const { parameters, cursor } = this.#older;
    const page = await this.#api.get("event", [...parameters, ["cursor", cursor]], signal);
    this.#older = this.#after(parameters, page);
    return page.events;
  }

  /** Fetch the next newer events, newest first. */
  async loadNewer(signal) {
    const { parameters, cursor } = this.#newer;
    const asked = cursor === null ? parameters : [...parameters, ["cursor", cursor]];
    const page = await this.#api.get("event", asked, signal);
    this.#newer = continued(parameters, page);
    return page.events.toReversed();
  }

  #after(parameters, page) {
    this.#searchedTo = page.searched_to;
    return continued(parameters, page);
  }

  /** Fetch the events from one on that is deep in the list, and newer ones. Resolves to null if it is not in it. */
  async #around(event, parameters, signal) {
    const rest = (name) => parameters.filter(([parameter]) => parameter !== name);
    const time = event.timestamp_utc;
    this.#older = { parameters: [...rest(END), [END, String(time)]], cursor: null };
    let page = await this.#api.get("event", this.#older.parameters, signal);
    const found = [...page.events];
    const isIn = () => found.some((one) => one.event_id === event.event_id);
    this.#older = this.#after(this.#older.parameters, page);
    for (let pages = 1; !isIn() && this.#older && pages < MOST_PAGES; pages++) {
      if (found.at(-1).timestamp_utc < time) break;
      page = { events: await this.loadOlder(signal) };
      found.push(...page.events);
    }
    if (!isIn()) return null;
    const newer = [...rest(START), [START, String(time + 1)], ["order", "asc"]];
    this.#newer = { parameters: newer, cursor: null };
    return [...(await this.loadNewer(signal)), ...found];
  }
}

function rangeOf(parameters) {
  const fields = new Map(parameters);
  const bound = (name) => (fields.has(name) ? Number(fields.get(name)) : null);
  return { start: bound(START), end: bound(END) };
}

function continued(parameters, page) {
  return page.next_cursor ? { parameters, cursor: page.next_cursor } : null;
}
