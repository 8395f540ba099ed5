// The values that are known of the log: of summaries, and of the listed events for fields that these do not count.
// They are suggested as filters, and counted in the facets, which say what they counted.

import { fieldOf, PATHS, verdict } from "./conventional.js";
import { isEmbedded } from "./host.js";
import { say } from "./language.js";
import { parameterValue, scalars } from "./paths.js";

const FIELDS = ["outcome", "type", "actor", "address", "customer", "target", "action", "session"].filter(
  (name) => name !== "customer" || !isEmbedded, // the host chose it
);

const COUNTABLE = ["actor", "address"];

export class KnownValues {
  #frequent = { type: [], customer: [] };
  #frequentNote = "";
  #outcomes = null; // counts of all matching events, and their note
  #counted = new Map(); // groups of values at one path, counted by a summary
  #seen = new Map(); // outcomes of events that were listed
  #events = [];
  #listedNote = "";

  /**
   * Take a summary's frequent values. Earlier ones stay, because a filter hides all other values, but without their
   * counts, which belong to another query.
   */
  summarize({ event_types: types, customers, sample, sample_relation: relation }) {
    const counted = {
      type: types.map((row) => option("event_type", row.event_type, row.event_type, row.count)),
      customer: customers.map((row) => option("customer_id", text(row.customer_id), text(row.customer_id), row.count)),
    };
    for (const [name, options] of Object.entries(counted)) {
      this.#frequent[name] = merged(options, this.#frequent[name]);
    }
    this.#frequentNote = noteOf(sample, relation);
    this.#counted.clear();
  }

  /** The parameter to count each of the fields by that a summary can count: where most listed events have it. */
  countable() {
    return COUNTABLE.map((name) => {
      const [most] = this.#listed((event) => fieldOf(event, name));
      return { name, parameter: most?.parameter ?? PARAMETERS.get(name) };
    });
  }

  /** Take the values at one path, of a summary with `by`. */
  countValues({ name, parameter }, { values, sample, sample_relation: relation }) {
    const options = values.map(({ value, count }) => option(parameter, parameterValue(value), text(value), count));
    this.#counted.set(name, { parameter, options, note: noteOf(sample, relation) });
  }

  /** Take the parts of a `summary` by outcome, of byOutcome(). */
  countOutcomes(parts, summary) {
    const relation = parts.find(({ relation: one }) => one === "gte") ? "gte" : "eq";
    const note = relation === "eq" ? say("facets.all", { count: summary.total_count }) : say("facets.atLeast");
    this.#outcomes = { note, counts: new Map(parts.map(({ kind, total }) => [kind, total])) };
  }

  /** The outcomes of all events that were listed, as options. */
  get outcomes() {
    return [...this.#seen.values()];
  }

  /** Take the listed events; `areAll`: no others match. */
  list(events, areAll) {
    this.#events = events;
    for (const one of this.#listed((event) => fieldOf(event, "outcome"))) {
      this.#seen.set(`${one.parameter}=${one.value}`, one);
    }
    this.#listedNote = say(areAll ? "facets.all" : "facets.listed", { count: events.length });
  }

  forget() {
    this.#seen.clear();
    this.#outcomes = null;
    this.#counted.clear();
    this.#frequent = { type: [], customer: [] };
    this.#events = [];
  }

  /**
   * List the groups of values: [{name, title, note, options}], where `note` says which events are counted and each
   * option is {parameter, value, label, count}, most frequent first. A count of null belongs to another question.
   */
  groups() {
    return FIELDS.map((name) => {
      const title = say(`title.${name}`);
      if (name === "outcome" && this.#outcomes) return this.#outcomeGroup(title);
      if (this.#counted.has(name)) return this.#countedGroup(name, title);
      const isFrequent = name in this.#frequent;
      const options = isFrequent ? this.#frequent[name] : this.#listed((event) => fieldOf(event, name));
      return { name, title, options, note: isFrequent ? this.#frequentNote : this.#listedNote };
    });
  }

  /** Find the known value of a field by its value or label: the option, or undefined. */
  find(name, sought) {
    const group = this.groups().find((one) => one.name === name);
    return group?.options.find(({ value, label }) => value === sought || label === sought);
  }

  /** List the paths of the listed events, most frequent first. */
  paths() {
    const leaves = this.#events.flatMap((event) => scalars(event.event_data).map(({ path }) => path));
    return [...Map.groupBy(leaves, (path) => path)]
      .toSorted(([, one], [, other]) => other.length - one.length)
      .map(([path]) => path);
  }

  /** List the values at a path of the listed events, as options. */
  valuesAt(path) {
    return this.#listed((event) => scalars(event.event_data).find((leaf) => leaf.path === path) ?? null);
  }

  /** Values that a summary counted, with the names of listed events, and values at other paths without a count. */
  #countedGroup(name, title) {
    const { parameter, options, note } = this.#counted.get(name);
    const listed = this.#listed((event) => fieldOf(event, name));
    const labels = new Map(
      listed.filter((one) => one.parameter === parameter).map(({ value, label }) => [value, label]),
    );
    const named = options.map((one) => option(parameter, one.value, labels.get(one.value) ?? one.label, one.count));
    const others = listed.filter((one) => one.parameter !== parameter);
    return { name, title, note, options: [...named, ...others.map(uncounted)] };
  }

  /** Failures and successes with the counts of all matching events, by the paths where listed events have them. */
  #outcomeGroup(title) {
    const listed = this.#listed((event) => fieldOf(event, "outcome"));
    const options = [...this.#outcomes.counts]
      .filter(([kind]) => kind !== "rest")
      .map(([kind, count]) => {
        const known = listed.find(({ value }) => verdict(value) === kind);
        return option(known?.parameter ?? PARAMETERS.get("outcome"), known?.value ?? kind, kind, count);
      });
    const others = listed.filter(({ value }) => !verdict(value));
    return { name: "outcome", title, note: this.#outcomes.note, options: [...options, ...others.map(uncounted)] };
  }

  /** Count {path, value, label} of each listed event. */
  #listed(valueOf) {
    const counts = new Map();
    for (const event of this.#events) {
      const found = valueOf(event);
      if (!found) continue;
      const value = parameterValue(found.value);
      const key = JSON.stringify([found.path, value]);
      const known = counts.get(key) ?? option(`event_data.${found.path}`, value, found.label ?? value, 0);
      counts.set(key, { ...known, count: known.count + 1 });
    }
    return [...counts.values()].toSorted((one, other) => other.count - one.count);
  }
}

/** Names of the fields that a filter may begin with, and the API parameter of each. */
export const PARAMETERS = new Map([
  ["type", "event_type"],
  ...(isEmbedded ? [] : [["customer", "customer_id"]]),
  ...[...PATHS].map(([name, [best]]) => [name, `event_data.${best}`]),
]);

function option(parameter, value, label, count) {
  return { parameter, value, label, count };
}

/** Which events a summary counted. */
export function noteOf(sample, relation) {
  return say(relation === "eq" ? "facets.all" : "facets.newest", { count: sample });
}

function merged(found, known) {
  const values = new Set(found.map(({ value }) => value));
  return [...found, ...known.filter(({ value }) => !values.has(value)).map(uncounted)];
}

function text(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function uncounted(one) {
  return { ...one, count: null };
}
