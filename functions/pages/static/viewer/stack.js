// The division of the chart's bars: by outcome, or by the most frequent types. The counts of each part come
// from GET /event/summary with one more filter, over the same range and thus with the same buckets.

import { verdict, WORDS } from "./conventional.js";
import { visible } from "./format.js";
import { say } from "./language.js";

const TYPES = 4;
const OUTCOME = "event_data.outcome";
const RANGE = new Set(["timestamp_start_utc", "timestamp_end_utc"]);

/**
 * Fetch the failures, successes and other events of a summary: [{label, kind, counts, total, relation}], from the
 * bottom of the bars up. `parameters` are those of the summary, `outcomes` the known options of the field.
 */
export function byOutcome(summary, { parameters, outcomes, get }) {
  const parts = ["failure", "success"].map((kind) => ({
    label: say(`outcome.${kind}`),
    kind,
    filters: outcomeFilters(kind, outcomes),
  }));
  return partsOf(summary, parts, say("part.other"), { parameters, get });
}

/** Fetch the events of the most frequent types, and the others, in the same form. */
export function byType(summary, { parameters, get }) {
  const parts = summary.frequent.event_types.slice(0, TYPES).map(({ event_type: type }, place) => ({
    label: visible(type),
    kind: `part-${place}`,
    filters: [["event_type", [type]]],
  }));
  return partsOf(summary, parts, say("part.otherTypes"), { parameters, get });
}

async function partsOf(summary, wanted, restLabel, { parameters, get }) {
  if (!summary.buckets.length) return [];
  const range = [
    ["timestamp_start_utc", String(summary.start)],
    ["timestamp_end_utc", String(summary.end)],
  ];
  const asked = [...parameters.filter(([name]) => !RANGE.has(name)), ...range];
  const parts = await Promise.all(
    wanted.map(async ({ label, kind, filters }) => {
      const queries = filters.map(([name, values]) => narrowed(asked, name, values)).filter((one) => one !== null);
      const summaries = await Promise.all(queries.map((query) => get("event/summary", query)));
      const { counts, total, relation } = summed(summaries, summary);
      return { label, kind, counts, total, relation };
    }),
  );
  return [...parts, restOf(parts, summary, restLabel)].filter(({ total }) => total > 0);
}

/** Values of an outcome by the parameter that finds them: all words at the conventional path, and those listed. */
function outcomeFilters(kind, outcomes) {
  const found = outcomes.filter(({ value }) => verdict(value) === kind);
  const pairs = [
    ...WORDS[kind].map((word) => [OUTCOME, word]),
    ...found.map(({ parameter, value }) => [parameter, value]),
  ];
  return [...Map.groupBy(pairs, ([name]) => name)].map(([name, of]) => [name, [...new Set(of.map(([, one]) => one))]]);
}

/** Add a filter to parameters. If they have values of it, only common ones can match: null if there are none. */
function narrowed(parameters, name, values) {
  const present = parameters.filter(([one]) => one === name).map(([, value]) => value);
  const common = present.length ? values.filter((value) => present.includes(value)) : values;
  if (!common.length) return null;
  return [...parameters.filter(([one]) => one !== name), ...common.map((value) => [name, value])];
}

/** Add up the counts of summaries, at most those of the `whole`. */
function summed(summaries, whole) {
  const counts = whole.buckets.map(({ start, count }) => {
    const found = summaries.map(({ buckets }) => buckets.find((bucket) => bucket.start === start)?.count ?? 0);
    return Math.min(
      count,
      found.reduce((sum, one) => sum + one, 0),
    );
  });
  const isPartial = [...summaries, whole].some((one) => one.total_relation === "gte");
  return { counts, total: counts.reduce((sum, one) => sum + one, 0), relation: isPartial ? "gte" : "eq" };
}

/** The rest of the whole: an upper bound if a part may be too low, because the rest then has events of that part. */
function restOf(parts, { buckets }, label) {
  const counts = buckets.map(({ count }, place) =>
    Math.max(0, count - parts.reduce((sum, part) => sum + part.counts[place], 0)),
  );
  const isCut = parts.some(({ relation }) => relation === "gte");
  const total = counts.reduce((sum, one) => sum + one, 0);
  return {
    label: isCut ? say("part.uncounted", { label }) : label,
    kind: "rest",
    counts,
    total,
    relation: isCut ? "lte" : "eq",
  };
}
