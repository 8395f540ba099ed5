// The text of filters as the user types it: words `field=value`, such as `type=user.login outcome=failure actor=ada`.

import { PARAMETERS } from "./known-values.js";
import { pathProblem, valueProblem } from "./paths.js";
import { PRESETS } from "./ranges.js";

const WORD = /(?:[^\s"]|"(?:[^"\\]|\\.)*"?)+/gu;
const PARTS = /^(?<name>(?:[^"=]|"[^"]*")*)=(?<value>.*)$/su;
const MOST = 2n ** 63n;
const HELP = "Write a filter as field=value, such as type=user.login or actor=admin.";

/** Split a text at spaces that are not in quotes. */
export function words(text) {
  return text.match(WORD) ?? [];
}

/** Split a word at its equals sign: {name, value}, or null. */
export function parts(word) {
  return PARTS.exec(word)?.groups ?? null;
}

/**
 * Read a text: {filters: [[parameter, value]], last}, where `last` is the key of a range or null. Throws an Error with
 * the problem as a sentence. `known.find(name, value)` gives the path at which events have a conventional field.
 */
export function read(text, known) {
  const all = words(text);
  if (!all.length) throw new Error(HELP);
  const filters = [];
  let last = null;
  for (const word of all) {
    const { name, value } = parts(word) ?? {};
    if (!name) throw new Error(`There is no field in ${word}. ${HELP}`);
    if (name === "range") last = checkedRange(unquoted(value));
    else filters.push(filterOf(name, value, known));
  }
  return { filters, last };
}

function filterOf(name, value, known) {
  const problem = valueProblem(value);
  if (problem) throw new Error(problem);
  const found = known.find(name, unquoted(value));
  if (found) return [found.parameter, found.value];
  if (name === "type") return [PARAMETERS.get(name), checkedType(unquoted(value))];
  if (name === "customer") return [PARAMETERS.get(name), checkedCustomer(unquoted(value))];
  if (PARAMETERS.has(name)) return [PARAMETERS.get(name), value];
  const path = name.replace(/^event_data\./u, "");
  const wrong = pathProblem(path);
  if (wrong) throw new Error(wrong);
  return [`event_data.${path}`, value];
}

function checkedRange(key) {
  if (PRESETS.has(key)) return key;
  throw new Error(`A range is one of ${[...PRESETS.keys()].join(", ")}.`);
}

function checkedType(type) {
  if (type.length > 255) throw new Error("An event type has at most 255 characters.");
  return type;
}

function checkedCustomer(digits) {
  const isCustomer = /^-?[0-9]{1,19}$/u.test(digits) && BigInt(digits) < MOST && BigInt(digits) >= -MOST;
  if (!isCustomer) throw new Error("A customer is a whole number of at most 19 digits, such as 42.");
  return digits;
}

function unquoted(value) {
  try {
    return value.startsWith('"') ? JSON.parse(value) : value;
  } catch {
    return value;
  }
}
