// All matching events as a whole: their summary, its histogram, and one total for the page.

import { bestTotal } from "./counts.js";
import { Histogram } from "./histogram.js";
import { byOutcome, byType } from "./stack.js";

const SUMMARY_SHARE = 10; // the live tail spends at most a tenth of the time on summaries

export class Overview {
  #view;
  #known;
  #get;
  #histogram;
  #summary = null;
  #outcomes = null; // the parts of its bars by outcome
  #parameters = []; // those of the summary
  #stack = null; // what the bars are divided by
  #due = 0; // when a summary may be renewed, by performance.now()
  #isOld = false; // it misses events that the list has

  /** `known` is KnownValues, `get(path, parameters, signal)` that of the API. */
  constructor(view, known, get) {
    this.#view = view;
    this.#known = known;
    this.#get = get;
    this.#histogram = new Histogram({
      onRange: (start, end) => view.set({ last: null, start, end }),
      onStack: (stack) => view.set({ stack }),
    });
  }

  /** How many events match, as of the last page or summary: {count, relation}. */
  total = { count: 0, relation: "eq" };

  /** Whether the bars are divided by something else than the view says. */
  get isOtherwiseDivided() {
    return this.#stack !== this.#view.stack;
  }

  /** Fetch and show the summary for `parameters`; `learnt` resolves when `known` has the listed events. */
  async load(parameters, signal, learnt) {
    const began = performance.now();
    this.#isOld = false;
    this.#parameters = parameters;
    this.#summary = await this.#get("event/summary", parameters, signal);
    this.#known.summarize(this.#summary.frequent);
    this.#outcomes = null;
    this.#histogram.show(this.#summary);
    await learnt;
    const get = (path, query) => this.#get(path, query, signal);
    const [parts] = await Promise.all([
      byOutcome(this.#summary, { parameters, outcomes: this.#known.outcomes, get }),
      ...this.#known.countable().map((field) => this.#count(field, get)),
    ]);
    this.#outcomes = parts;
    this.#known.countOutcomes(parts, this.#summary);
    await this.divide(signal);
    this.#due = performance.now() + SUMMARY_SHARE * (performance.now() - began);
  }

  async #count(field, get) {
    const { frequent } = await get("event/summary", [...this.#parameters, ["by", field.parameter]]);
    this.#known.countValues(field, frequent);
  }

  /** Load again if the matching events changed, but not too often. */
  async renew(hasChanged, parameters, signal) {
    this.#isOld ||= hasChanged;
    if (!this.#isOld || performance.now() < this.#due) return;
    await this.load(parameters, signal);
    this.total = { count: this.#summary.total_count, relation: this.#summary.total_relation };
  }

  /** Count `change` more matching events, until the next summary. */
  add(change) {
    this.total = { ...this.total, count: this.total.count + change };
  }

  /** Divide the bars of the chart as the view says. */
  async divide(signal) {
    this.#stack = this.#view.stack;
    this.#histogram.showStack(this.#stack);
    const ways = {
      outcome: () => this.#outcomes,
      type: () =>
        byType(this.#summary, { parameters: this.#parameters, get: (path, query) => this.#get(path, query, signal) }),
      none: () => [],
    };
    this.#histogram.divide(await ways[this.#stack]());
  }

  /** Take the totals of a page that was just fetched, or keep the last for null, and show them. */
  showTotal(page) {
    if (page) this.total = bestTotal(page, this.#summary);
    this.#histogram.showTotal(this.total);
  }

  /** Show the same in another time zone. */
  async refresh(signal) {
    this.#histogram.show(this.#summary);
    this.#histogram.showTotal(this.total);
    await this.divide(signal);
  }

  clear() {
    this.#summary = null;
    this.#histogram.show(null);
  }
}
