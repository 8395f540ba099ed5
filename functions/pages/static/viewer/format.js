// Formatting of times, numbers and untrusted text.

// Control characters, bidirectional marks and invisible characters: with them one event could pass for another.
const INVISIBLE =
  /[\u0000-\u001F\u007F-\u009F\u00AD\u061C\u180E\u200B-\u200F\u2028-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB]/gu;
const NUMBERS = new Intl.NumberFormat("en");

/** Replace every invisible character by its escape, such as `\u202e`. */
export function visible(text) {
  return text.replaceAll(INVISIBLE, (character) => `\\u${character.codePointAt(0).toString(16).padStart(4, "0")}`);
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

/** Format a count that is exact (`eq`) or a lower bound (`gte`). */
export function atLeast(value, relation) {
  return (relation === "gte" ? "≥ " : "") + number(value);
}

/** Format a count of events, with the noun in singular or plural. */
export function events(value, relation = "eq") {
  return `${atLeast(value, relation)} ${value === 1 && relation === "eq" ? "event" : "events"}`;
}
