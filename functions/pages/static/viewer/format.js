// Formatting of times, numbers and untrusted text.

// Control characters, bidirectional marks and characters without a glyph: with them one event could pass for another.
// Default_Ignorable_Code_Point: https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point
const UNSEEN = String.raw`[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800\uFFF9-\uFFFB]`;
const INVISIBLE = new RegExp(UNSEEN, "gu");
// Backslashes before an invisible character, or before text that looks like its escape.
const AMBIGUOUS = new RegExp(String.raw`(?<!\\)\\+(?=u[0-9a-fA-F]{4}|${UNSEEN})`, "gu");
const NUMBERS = new Intl.NumberFormat("en");

/**
 * Replace every invisible character by its escape, such as `\u202e`. Where the text itself contains such an escape, its
 * backslashes are doubled: `\\u202e`.
 */
export function visible(text) {
  return visibleJson(text.replaceAll(AMBIGUOUS, "$&$&"));
}

/** Replace every invisible character of a JSON text, in which backslashes are doubled already. */
export function visibleJson(json) {
  return json.replaceAll(INVISIBLE, (character) =>
    character
      .split("")
      .map((unit) => `\\u${unit.codePointAt(0).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}

/** Name an API parameter as the page does: `event_data.user.name` is the path user.name. */
export function fieldName(parameter) {
  const known = { event_type: "type", customer_id: "customer" };
  return known[parameter] ?? visible(parameter.replace(/^event_data\./u, ""));
}

/** Format Unix seconds as 2026-01-31 12:00:00, in UTC. */
export function utc(seconds) {
  const date = new Date(seconds * 1000);
  return date.toISOString().slice(0, -5).replace("T", " ");
}

/** Format Unix seconds as short as the width of a histogram's bucket allows, in UTC. */
export function tick(seconds, bucketSeconds) {
  const text = utc(seconds);
  if (bucketSeconds >= 86_400) return text.slice(0, 10);
  return bucketSeconds >= 60 ? text.slice(5, 16) : text.slice(11);
}

export function number(value) {
  return NUMBERS.format(value);
}

/** Format a histogram's bucket width, such as `30 minutes`. */
export function duration(seconds) {
  const units = [
    ["day", 86_400],
    ["hour", 3600],
    ["minute", 60],
    ["second", 1],
  ];
  const [unit, length] = units.find(([, one]) => seconds % one === 0);
  return seconds === length ? `1 ${unit}` : `${number(seconds / length)} ${unit}s`;
}

/** Format a count that is exact (`eq`) or a lower bound (`gte`). */
export function atLeast(value, relation) {
  return (relation === "gte" ? "≥ " : "") + number(value);
}

/** Format a count of events, with the noun in singular or plural. */
export function events(value, relation = "eq") {
  return `${atLeast(value, relation)} ${value === 1 && relation === "eq" ? "event" : "events"}`;
}
