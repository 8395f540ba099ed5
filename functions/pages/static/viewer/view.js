// State of the view: time range, filters, columns, the chart's division, a name and the open event. It lives in the
// URL's fragment, so that a link restores it and the browser's Back button undoes a step.

import { isEmbedded } from "./host.js";
import { PRESETS, presetRange } from "./ranges.js";

const DEFAULT = "24h";
const STACKS = ["outcome", "type", "none"];
const PAGES = new Set(["#streams", "#rules"]);
const START = "timestamp_start_utc";
const END = "timestamp_end_utc";

export class View extends EventTarget {
  constructor() {
    super();
    addEventListener("hashchange", () => this.#read());
    this.#read();
  }

  /** The page that is shown: "events", "streams" or "rules". The fields below are those of the events in any case. */
  page = "events";
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
  /** Names of the columns that the user chose, or null for the default. */
  columns = null;
  /** What divides the bars of the chart: "outcome", "type" or "none". */
  stack = STACKS[0];
  /** The name that the user gave the view, or null. */
  name = null;

  /** Change some fields. A "change" event follows. */
  set(changes) {
    const next = {
      filters: this.filters,
      last: this.last,
      start: this.start,
      end: this.end,
      event: this.event,
      columns: this.columns,
      stack: this.stack,
      name: this.name,
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
    const lengths = [...PRESETS].filter(([, { seconds }]) => seconds >= PRESETS.get(DEFAULT).seconds);
    this.last = lengths.find(([, { seconds }]) => newest !== null && now - seconds <= newest)?.[0] ?? "all";
    this.isRangeChosen = true;
  }

  /** The range in Unix seconds, null for no bound. `now` ends a preset's range. */
  range(now) {
    return this.last === null ? { start: this.start, end: this.end } : presetRange(this.last, now);
  }

  /** Build the parameters of GET /event and GET /event/summary. `now` is that of range(). */
  parameters(now) {
    const parameters = [...this.filters];
    const { start, end } = this.range(now);
    if (start !== null) parameters.push([START, String(start)]);
    if (end !== null) parameters.push([END, String(end)]);
    return parameters;
  }

  /** Build the parameters of GET /event/feed: those of GET /event, without an end that moves with the clock. */
  liveParameters(now) {
    return this.parameters(now).filter(([name, value]) => name !== END || value !== String(now));
  }

  #read() {
    this.page = !isEmbedded && PAGES.has(location.hash) ? location.hash.slice(1) : "events";
    if (this.page === "events") this.#readEvents();
    this.dispatchEvent(new Event("change"));
  }

  #readEvents() {
    const pairs = [...new URLSearchParams(location.hash.slice(1))];
    const fields = new Map(pairs);
    const known = new Set(["last", "event", "columns", "stack", "name", START, END]);
    // An unknown name is sent as well: the API refuses it, and the page shows the error next to the filter.
    this.filters = pairs.filter(([name]) => !known.has(name) && !isHidden(name));
    this.start = parseSeconds(fields.get(START));
    this.end = parseSeconds(fields.get(END));
    const isCustom = this.start !== null || this.end !== null;
    const preset = PRESETS.has(fields.get("last")) ? fields.get("last") : DEFAULT;
    this.isRangeChosen = isCustom || PRESETS.has(fields.get("last"));
    this.last = isCustom ? null : preset;
    this.event = fields.get("event") ?? null;
    this.columns = fields.get("columns")?.split(",").filter(Boolean).map(unescaped) ?? null;
    this.stack = STACKS.includes(fields.get("stack")) ? fields.get("stack") : STACKS[0];
    this.name = fields.get("name") || null;
  }
}

/** Whether the page has no such filter: in another page, the host chose the customer. */
function isHidden(name) {
  return isEmbedded && /^customer_id(?:$|\[)/u.test(name);
}

function parseSeconds(text) {
  return /^[0-9]{1,12}$/u.test(text ?? "") ? Number(text) : null;
}

function hashOf({ filters, last, start, end, event, columns, stack, name }) {
  const pairs = [...filters];
  if (start !== null) pairs.push([START, String(start)]);
  if (end !== null) pairs.push([END, String(end)]);
  if (start === null && end === null) pairs.unshift(["last", last ?? DEFAULT]);
  if (columns) pairs.push(["columns", columns.map(escaped).join(",")]);
  if (stack !== STACKS[0]) pairs.push(["stack", stack]);
  if (name) pairs.push(["name", name]);
  if (event) pairs.push(["event", event]);
  return new URLSearchParams(pairs).toString();
}

/** Escape the comma that a path as the name of a column may have. */
function escaped(name) {
  return name.replaceAll("%", "%25").replaceAll(",", "%2C");
}

function unescaped(text) {
  return text.replaceAll("%2C", ",").replaceAll("%25", "%");
}
