// State of the view: time range, filters and the open event. It lives in the URL's fragment, so that a link restores it
// and the browser's Back button undoes a step.

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

  /** Pairs of an API parameter's name and its value, without duplicates. */
  filters = [];
  /** A key of PRESETS, or null if start and end are set. */
  last = DEFAULT;
  start = null;
  end = null;
  /** Whether the URL names a range. If not, the page chooses one that has events. */
  isRangeChosen = false;
  /** Id of the event whose detail is open, or null. */
  event = null;

  /** Change some fields. A "change" event follows. */
  set(changes) {
    const next = {
      filters: this.filters,
      last: this.last,
      start: this.start,
      end: this.end,
      event: this.event,
      ...changes,
    };
    location.hash = hashOf(next);
  }

  add(name, value) {
    if (this.filters.some((filter) => filter[0] === name && filter[1] === value)) return;
    this.set({ filters: [...this.filters, [name, value]] });
  }

  remove(name, value) {
    this.set({ filters: this.filters.filter((filter) => filter[0] !== name || filter[1] !== value) });
  }

  /** Choose the shortest preset from the default on that includes `newest` (Unix seconds, null: no event). */
  chooseRange(newest, now) {
    const keys = [...PRESETS.keys()];
    const longer = keys.slice(keys.indexOf(DEFAULT));
    this.last =
      longer.find((key) => newest !== null && now - PRESETS.get(key).seconds <= newest && key !== "all") ?? "all";
    this.isRangeChosen = true;
  }

  /** The range in Unix seconds, null for no bound. `now` ends a preset's range. */
  range(now) {
    const length = PRESETS.get(this.last)?.seconds;
    return length ? { start: now - length, end: now } : { start: this.start, end: this.end };
  }

  /** Build the parameters of GET /event and GET /event/summary. `now` is that of range(). */
  parameters(now) {
    const parameters = [...this.filters];
    const { start, end } = this.range(now);
    if (start !== null) parameters.push([START, String(start)]);
    if (end !== null) parameters.push([END, String(end)]);
    return parameters;
  }

  #read() {
    const pairs = [...new URLSearchParams(location.hash.slice(1))];
    const fields = new Map(pairs);
    const known = new Set(["last", "event", START, END]);
    // An unknown name is sent as well: the API refuses it, and the page shows the error next to the filter.
    this.filters = pairs.filter(([name]) => !known.has(name));
    this.start = parseSeconds(fields.get(START));
    this.end = parseSeconds(fields.get(END));
    const isCustom = this.start !== null || this.end !== null;
    const preset = PRESETS.has(fields.get("last")) ? fields.get("last") : DEFAULT;
    this.isRangeChosen = isCustom || PRESETS.has(fields.get("last"));
    this.last = isCustom ? null : preset;
    this.event = fields.get("event") ?? null;
    this.dispatchEvent(new Event("change"));
  }
}

function parseSeconds(text) {
  return /^[0-9]{1,12}$/u.test(text ?? "") ? Number(text) : null;
}

function hashOf({ filters, last, start, end, event }) {
  const pairs = [...filters];
  if (start !== null) pairs.push([START, String(start)]);
  if (end !== null) pairs.push([END, String(end)]);
  if (start === null && end === null) pairs.unshift(["last", last ?? DEFAULT]);
  if (event) pairs.push(["event", event]);
  return new URLSearchParams(pairs).toString();
}
