// What is looked at: a time range, filters, an open event. All of it is in the address behind #, so that a link shows the
// same, and the browser's Back undoes a step.

export const PRESETS = new Map([
  ["15m", { label: "15m", seconds: 900 }],
  ["1h", { label: "1h", seconds: 3600 }],
  ["24h", { label: "24h", seconds: 86_400 }],
  ["7d", { label: "7d", seconds: 7 * 86_400 }],
  ["30d", { label: "30d", seconds: 30 * 86_400 }],
  ["all", { label: "All", seconds: null }],
]);
const DEFAULT = "24h";
const START = "timestamp_start_utc";
const END = "timestamp_end_utc";

export class View extends EventTarget {
  constructor() {
    super();
    addEventListener("hashchange", () => this.#read());
    this.#read();
  }

  /** Names are those of the API's parameters: pairs of name and value, each once. */
  filters = [];
  /** A key of PRESETS, or null where start and end are given. */
  last = DEFAULT;
  start = null;
  end = null;
  /** The id of the event whose detail is open. */
  event = null;

  /** Change some of it. What it means for the page is told by a "change". */
  set(changes) {
    const next = { filters: this.filters, last: this.last, start: this.start, end: this.end, event: this.event, ...changes };
    location.hash = hashOf(next);
  }

  add(name, value) {
    if (this.filters.some((filter) => filter[0] === name && filter[1] === value)) return;
    this.set({ filters: [...this.filters, [name, value]] });
  }

  remove(name, value) {
    this.set({ filters: this.filters.filter((filter) => filter[0] !== name || filter[1] !== value) });
  }

  /** The parameters for GET /event and GET /event/summary; `now` is the end of a range that ends now. */
  parameters(now) {
    const parameters = [...this.filters];
    const seconds = PRESETS.get(this.last)?.seconds;
    const [start, end] = seconds ? [now - seconds, now] : [this.start, this.end];
    if (start !== null) parameters.push([START, String(start)]);
    if (end !== null) parameters.push([END, String(end)]);
    return parameters;
  }

  #read() {
    const pairs = [...new URLSearchParams(location.hash.slice(1))];
    const given = new Map(pairs);
    const known = new Set(["last", "event", START, END]);
    // A name that the API does not know goes to it like any other: it says so, and the page shows that and the filter.
    this.filters = pairs.filter(([name]) => !known.has(name));
    this.start = seconds(given.get(START));
    this.end = seconds(given.get(END));
    const isCustom = this.start !== null || this.end !== null;
    this.last = isCustom ? null : PRESETS.has(given.get("last")) ? given.get("last") : DEFAULT;
    this.event = given.get("event") ?? null;
    this.dispatchEvent(new Event("change"));
  }
}

function seconds(text) {
  return /^[0-9]{1,12}$/.test(text ?? "") ? Number(text) : null;
}

function hashOf({ filters, last, start, end, event }) {
  const pairs = [...filters];
  if (start !== null) pairs.push([START, String(start)]);
  if (end !== null) pairs.push([END, String(end)]);
  if (start === null && end === null) pairs.unshift(["last", last ?? DEFAULT]);
  if (event) pairs.push(["event", event]);
  return new URLSearchParams(pairs).toString();
}
