// Histogram of events over time, its bars divided into parts, with a scale and a legend. Dragging, or the arrow keys
// with Shift, selects a range to zoom into.

import { byId, el } from "./dom.js";
import { bounded, duration, events } from "./format.js";
import { number, say, sayParts } from "./language.js";
import { moment, tick } from "./time-zone.js";

const TICKS = 5;

export class Histogram {
  #onRange;
  #stacks = new Map();
  #summary = null;
  #parts = [];
  #top = 1; // the count at the upper end of the scale
  #anchor = null; // index of the bucket where the selection began
  #place = null; // index of the bucket where it ends, or of the bucket that has the focus
  #bars = el("div", { class: "bars" });
  #selection = el("div", { class: "selection", hidden: true });
  #plot = el(
    "div",
    { class: "plot", tabindex: "0", role: "group", "aria-describedby": "histogram-help" },
    this.#bars,
    this.#selection,
  );
  #axis = el("div", { class: "axis", "aria-hidden": "true" });
  #scaleTexts = el("div", { class: "counts", "aria-hidden": "true" });
  #legend = el("ul", { class: "legend", "aria-label": say("chart.parts") });
  #chart = el("div", { class: "chart" }, this.#scaleTexts, this.#plot, this.#axis);
  #total = el("strong", {});
  #scale = el("span", { class: "muted" });
  #readout = el("span", { class: "muted readout", role: "status" });
  #note = el("p", { class: "note", hidden: true });

  /**
   * `onRange(start, end)` gets the selected range in Unix seconds, both ends included; `onStack(by)` gets what the user
   * wants the bars to be divided by.
   */
  constructor({ onRange, onStack }) {
    this.#onRange = onRange;
    for (const by of ["outcome", "type", "none"]) {
      const onclick = () => onStack(by);
      this.#stacks.set(by, el("button", { type: "button", "aria-pressed": "false", onclick }, say(`chart.${by}`)));
    }
    const stacks = el("div", { class: "segments", role: "group", "aria-label": say("chart.divide") });
    stacks.append(...this.#stacks.values());
    byId("histogram").append(
      el("div", { class: "histogram-head" }, el("span", {}, this.#total, this.#scale), this.#readout),
      this.#chart,
      el(
        "div",
        { class: "chart-foot" },
        this.#legend,
        el("span", { class: "stacks" }, ...sayParts("chart.by", { choices: stacks })),
      ),
      this.#note,
      el("p", { id: "histogram-help", class: "unseen" }, say("chart.help")),
    );
    this.#plot.addEventListener("pointerdown", (event) => this.#begin(event));
    this.#plot.addEventListener("pointermove", (event) => this.#move(event));
    this.#plot.addEventListener("pointerup", () => this.#finish());
    this.#plot.addEventListener("pointercancel", () => this.#look(null));
    this.#plot.addEventListener("pointerleave", () => this.#anchor ?? this.#look(null));
    this.#plot.addEventListener("blur", () => this.#look(null));
    this.#plot.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** Show a summary in the form of GET /event/summary, or nothing for null; its bars are undivided at first. */
  show(summary) {
    this.#summary = summary;
    const buckets = summary?.buckets ?? [];
    const highest = Math.max(0, ...buckets.map(({ count }) => count));
    this.#chart.style.setProperty("--buckets", buckets.length);
    this.#chart.hidden = !buckets.length;
    this.#top = 2 * niceStep(Math.max(1, highest) / 2);
    this.#scaleTexts.replaceChildren(...[this.#top, this.#top / 2, 0].map((one) => el("span", {}, number(one))));
    const scale = summary && say("chart.scale", { width: duration(summary.bucket_seconds), highest });
    this.#scale.textContent = buckets.length ? ` · ${scale}` : "";
    this.divide([]);
    this.showTotal(summary ? { count: summary.total_count, relation: summary.total_relation } : null);
    this.#plot.setAttribute(
      "aria-label",
      summary
        ? say("chart.label", { total: this.#total.textContent, bars: buckets.length, scale })
        : say("chart.empty"),
    );
    this.#axis.replaceChildren(...ticks(buckets, summary?.bucket_seconds));
    byId("histogram").hidden = summary !== null && !buckets.length;
    const isPartial = summary?.total_relation === "gte";
    this.#note.hidden = !isPartial;
    if (isPartial) {
      this.#note.textContent = say("chart.partial", { time: moment(summary.counted_from) });
    }
    this.#look(null);
  }

  /** Show what the bars are divided by. */
  showStack(by) {
    for (const [name, button] of this.#stacks) button.setAttribute("aria-pressed", String(name === by));
  }

  /** Divide the bars into parts of partsOf(), from the bottom up; undivided for none. */
  divide(parts) {
    this.#parts = parts;
    const buckets = this.#summary?.buckets ?? [];
    const shown = parts.length ? parts : [{ kind: "rest", counts: buckets.map(({ count }) => count) }];
    this.#bars.replaceChildren(
      ...buckets.map((bucket, place) => {
        const fills = shown
          .filter(({ counts }) => counts[place] > 0)
          .map(({ kind, counts }) => {
            const fill = el("div", { class: `fill ${kind}` });
            fill.style.setProperty("--share", counts[place] / this.#top);
            return fill;
          });
        return el("div", { class: this.#isUncounted(bucket) ? "bar uncounted" : "bar" }, ...fills.toReversed());
      }),
    );
    this.#legend.hidden = !parts.length;
    this.#legend.replaceChildren(
      ...parts.map(({ label, kind, total, relation }) =>
        el(
          "li",
          {},
          el("span", { class: `swatch ${kind}`, "aria-hidden": "true" }),
          el("bdi", {}, label),
          el("span", { class: "muted" }, ` ${bounded(total, relation)}`),
        ),
      ),
    );
  }

  /** Show how many events match: {count, relation}, or nothing for null. */
  showTotal(total) {
    this.#total.textContent = total ? events(total.count, total.relation) : "";
  }

  #isUncounted(bucket) {
    return this.#summary.total_relation === "gte" && bucket.start < this.#summary.counted_from;
  }

  #placeOf(event) {
    const box = this.#plot.getBoundingClientRect();
    const buckets = this.#summary?.buckets.length ?? 0;
    if (!buckets) return null;
    return Math.min(buckets - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * buckets)));
  }

  #begin(event) {
    if (event.button !== 0) return;
    this.#plot.setPointerCapture(event.pointerId);
    this.#anchor = this.#placeOf(event);
    this.#look(this.#anchor, this.#anchor);
  }

  #move(event) {
    this.#look(this.#placeOf(event), this.#anchor);
  }

  #finish() {
    if (this.#anchor !== null) this.#choose();
  }

  #onKey(event) {
    const buckets = this.#summary?.buckets.length ?? 0;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step && buckets) {
      event.preventDefault();
      const from = this.#place ?? (step > 0 ? -1 : buckets);
      const place = Math.min(buckets - 1, Math.max(0, from + step));
      this.#look(place, event.shiftKey ? (this.#anchor ?? this.#place ?? place) : null);
    } else if (event.key === "Enter" && this.#place !== null) {
      this.#choose();
    } else if (event.key === "Escape" && this.#place !== null) {
      event.stopPropagation();
      this.#look(null);
    }
  }

  /** Describe one bucket, or all from `anchor` to `place`. */
  #look(place, anchor = null) {
    this.#place = place;
    this.#anchor = place === null ? null : anchor;
    this.#selection.hidden = place === null;
    if (place === null) {
      this.#readout.textContent = "";
      return;
    }
    const [first, last] = this.#selected();
    const { buckets, bucket_seconds: width } = this.#summary;
    this.#selection.style.left = `${(100 * first) / buckets.length}%`;
    this.#selection.style.width = `${(100 * (last - first + 1)) / buckets.length}%`;
    this.#selection.classList.toggle("brush", this.#anchor !== null);
    const count = buckets.slice(first, last + 1).reduce((sum, bucket) => sum + bucket.count, 0);
    const relation = this.#isUncounted(buckets[first]) ? "gte" : "eq";
    const readout = say("chart.readout", {
      start: moment(buckets[first].start),
      end: moment(buckets[last].start + width),
      count: bounded(count, relation),
    });
    const failed = this.#parts.find(({ kind }) => kind === "failure");
    const failures = failed?.counts.slice(first, last + 1).reduce((sum, one) => sum + one, 0);
    this.#readout.textContent = failures
      ? say("chart.failed", { readout, count: bounded(failures, failed.relation) })
      : readout;
  }

  #selected() {
    const anchor = this.#anchor ?? this.#place;
    return [Math.min(anchor, this.#place), Math.max(anchor, this.#place)];
  }

  #choose() {
    const [first, last] = this.#selected();
    const { buckets, bucket_seconds: width, start, end } = this.#summary;
    this.#look(null);
    this.#onRange(Math.max(start, buckets[first].start), Math.min(end, buckets[last].start + width - 1));
  }
}

/** Round up to 1, 2 or 5 times a power of ten. */
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least);
}

function ticks(buckets, width) {
  if (!buckets.length) return [];
  const places = Array.from({ length: TICKS }, (_, part) => Math.round((part * (buckets.length - 1)) / (TICKS - 1)));
  return [...new Set(places)].map((place) => el("span", {}, tick(buckets[place].start, width)));
}
