// How times, numbers and foreign text are written on this page.

// Control characters, marks that turn the direction of text, and what is not visible at all: an event could use them to
// look like another one.
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
const NUMBERS = new Intl.NumberFormat("en");

/** A text in which nothing is hidden: `\u202e` stands where that character was. */
export function visible(text) {
  return text.replace(INVISIBLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Unix seconds as 2026-01-31 12:00:00, UTC. */
export function utc(seconds) {
  const date = new Date(seconds * 1000);
  return date.toISOString().slice(0, -5).replace("T", " ");
}

/** The same, as short as the width of a histogram's buckets allows. */
export function tick(seconds, bucketSeconds) {
  const text = utc(seconds);
  if (bucketSeconds >= 86_400) return text.slice(0, 10);
  return bucketSeconds >= 60 ? text.slice(5, 16) : text.slice(11);
}

export function number(value) {
  return NUMBERS.format(value);
}

/** A number of things that is exact (`eq`) or a lower bound (`gte`). */
export function atLeast(value, relation) {
  return (relation === "gte" ? "≥ " : "") + number(value);
}

/** One event or several. */
export function events(value, relation = "eq") {
  return `${atLeast(value, relation)} ${value === 1 && relation === "eq" ? "event" : "events"}`;
}
