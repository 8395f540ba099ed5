// Formatting of times, numbers and untrusted text.

import { PATHS } from "./conventional.js";
import { moment } from "./time-zone.js";

// Control characters, bidirectional marks and characters without a glyph: with them one event could pass for another.
// Default_Ignorable_Code_Point: https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point
const UNSEEN = String.raw`[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800\uFFF9-\uFFFB]`;
const INVISIBLE = new RegExp(UNSEEN, "gu");
// Backslashes before an invisible character, or before text that looks like its escape.
const AMBIGUOUS = new RegExp(String.raw`(?<!\\)\\+(?=u[0-9a-fA-F]{4}|${UNSEEN})`, "gu");
const OPERATORS = {
  "[not]": "is not",
  "[gt]": ">",
  "[gte]": "≥",
  "[lt]": "<",
  "[lte]": "≤",
  "[prefix]": "begins with",
  "[exists]": "exists",
};
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

/** Name an API parameter as the page does: `event_data.actor.id` is the actor, `event_data.user.name` a path. */
export function fieldName(parameter) {
  const [operator] = /\[[a-z]+\]$/u.exec(parameter) ?? [];
  if (operator) return `${fieldName(parameter.slice(0, -operator.length))} ${OPERATORS[operator] ?? operator}`;
  const known = { event_type: "type", customer_id: "customer", q: "words" };
  const path = parameter.replace(/^event_data\./u, "");
  return known[parameter] ?? nameOfPath(path) ?? visible(path);
}

function nameOfPath(path) {
  for (const [name, [best]] of PATHS) if (path === best) return name;
  return null;
}

/** Format Unix seconds as short as the width of a histogram's bucket allows, in the chosen time zone. */
export function tick(seconds, bucketSeconds) {
  const text = moment(seconds);
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

/** Format a count that is exact (`eq`), a lower bound (`gte`) or an upper one (`lte`). */
export function bounded(value, relation) {
  return { eq: "", gte: "≥ ", lte: "≤ " }[relation] + number(value);
}

/** Format a count of events, with the noun in singular or plural. */
export function events(value, relation = "eq") {
  return `${bounded(value, relation)} ${value === 1 && relation === "eq" ? "event" : "events"}`;
}
