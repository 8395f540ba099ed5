// Formatting of counts, names and untrusted text.

import { PATHS } from "./conventional.js";
import { locale, number, say } from "./language.js";

// Control characters, bidirectional marks and characters without a glyph: with them one event could pass for another.
// Default_Ignorable_Code_Point: https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point
const UNSEEN = String.raw`[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800\uFFF9-\uFFFB]`;
const INVISIBLE = new RegExp(UNSEEN, "gu");
// Backslashes before an invisible character, or before text that looks like its escape.
const AMBIGUOUS = new RegExp(String.raw`(?<!\\)\\+(?=u[0-9a-fA-F]{4}|${UNSEEN})`, "gu");
const OPERATORS = {
  "": say("operator.eq"),
  "[not]": say("operator.not"),
  "[gt]": ">",
  "[gte]": "≥",
  "[lt]": "<",
  "[lte]": "≤",
  "[prefix]": say("operator.prefix"),
  "[exists]": say("operator.exists"),
};
const FIELDS = new Map([
  ["event_type", "type"],
  ["customer_id", "customer"],
  ["q", "words"],
]);
const WORDS = new Set(["type", "customer", "range", "path", "words"]);
const UNITS = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

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

/** Split an API parameter into its field and its operator, such as `[gte]`, or nothing for equality. */
export function splitOperator(parameter) {
  const [operator = ""] = /\[[a-z]+\]$/u.exec(parameter) ?? [];
  return [parameter.slice(0, parameter.length - operator.length), operator];
}

export function operatorName(operator) {
  return OPERATORS[operator] ?? operator;
}

/** Name an API parameter as the page does: `event_data.actor.id` is the actor, `event_data.user.name` a path. */
export function fieldName(parameter) {
  const [field, operator] = splitOperator(parameter);
  if (operator) return `${fieldName(field)} ${operatorName(operator)}`;
  const path = parameter.replace(/^event_data\./u, "");
  const name = FIELDS.get(parameter) ?? nameOfPath(path);
  return name ? say(`field.${name}`) : visible(path);
}

/** Name a word of the line of filters as the page does: a field, or one of the words that stand for none, or a path. */
export function wordName(word) {
  const isKnown = PATHS.has(word) || WORDS.has(word);
  return isKnown ? say(`field.${word}`) : visible(word);
}

function nameOfPath(path) {
  for (const [name, [best]] of PATHS) if (path === best) return name;
  return null;
}

/** Format a histogram's bucket width, such as `30 minutes`. */
export function duration(seconds) {
  const [unit, length] = UNITS.find(([, one]) => seconds % one === 0);
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long" }).format(seconds / length);
}

/** Format a count that is exact (`eq`), a lower bound (`gte`) or an upper one (`lte`). */
export function bounded(value, relation) {
  return { eq: "", gte: "≥ ", lte: "≤ " }[relation] + number(value);
}

/** Format a count of events, with the noun in singular or plural. */
export function events(value, relation = "eq") {
  return say("list.events", { count: relation === "eq" ? value : 2, shown: bounded(value, relation) });
}
