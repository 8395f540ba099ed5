// The text of filters as the user types it: words `field=value`, such as `type=user.login outcome=failure actor=ada`,
// with the operators of the API, such as `amount[gte]=100`, or in short `type:user.login amount>=100 outcome!=success`.

import { isEmbedded } from "./host.js";
import { PARAMETERS } from "./known-values.js";
import { say } from "./language.js";
import { pathProblem, valueProblem } from "./paths.js";
import { PRESETS } from "./ranges.js";

const WORD = /(?:[^\s"]|"(?:[^"\\]|\\.)*"?)+/gu;
const OPERATOR = /\[(?:not|gt|gte|lt|lte|prefix|exists)\]$/u;
const OTHERS = new Set(["recorded_by", "timestamp_utc", "received_at", "event_type"]);
if (!isEmbedded) OTHERS.add("customer_id");
const PARTS = /^(?<name>(?:[^"=]|"[^"]*")*)=(?<value>.*)$/su;
// A name begins with a letter: 10:30 and 10.0.0.1:80 are words, as are an address with :// and one with ::.
const SHORT = /^(?<name>[\p{L}_](?:[^"=:<>!]|"[^"]*")*)(?<sign>!=|>=|<=|[<>:])(?<value>(?!\/\/|:).+)$/su;
const SIGNS = { ":": "", "!=": "[not]", ">": "[gt]", ">=": "[gte]", "<": "[lt]", "<=": "[lte]" };
const MOST = 2n ** 63n;

/** Split a text at spaces that are not in quotes. */
export function words(text) {
  return text.match(WORD) ?? [];
}

/** Split a word at its equals sign or a short sign: {name, value}, the name with its operator, or null. */
export function parts(word) {
  const short = SHORT.exec(word)?.groups;
  if (short) return { name: short.name + SIGNS[short.sign], value: short.value };
  return PARTS.exec(word)?.groups ?? null;
}

/**
 * Read a text: {filters: [[parameter, value]], last}, where `last` is the key of a range or null. Words without a field
 * are looked for in all of an event. Throws an Error with the problem as a sentence. `known.find(name, value)`
 * gives the path at which events have a conventional field.
 */
export function read(text, known) {
  const all = words(text);
  if (!all.length) throw new Error(say("filter.help"));
  const filters = [];
  const sought = [];
  let last = null;
  for (const word of all) {
    const { name, value } = parts(word) ?? {};
    if (!name) sought.push(word);
    else if (name === "range") last = checkedRange(unquoted(value));
    else filters.push(filterOf(name, value, known));
  }
  if (sought.length) filters.push(["q", sought.join(" ")]);
  return { filters, last };
}

function filterOf(name, value, known) {
  const [operator = ""] = OPERATOR.exec(name) ?? [];
  const [parameter, checked] = equality(name.replace(OPERATOR, ""), value, known);
  return [parameter + operator, checked];
}

function equality(name, value, known) {
  const problem = valueProblem(value);
  if (problem) throw new Error(problem);
  const found = known.find(name, unquoted(value));
  if (found) return [found.parameter, found.value];
  if (OTHERS.has(name)) return [name, unquoted(value)];
  if (name === "type") return [PARAMETERS.get(name), checkedType(unquoted(value))];
  if (name === "customer" && !isEmbedded) return [PARAMETERS.get(name), checkedCustomer(unquoted(value))];
  if (PARAMETERS.has(name)) return [PARAMETERS.get(name), value];
  const path = name.replace(/^event_data\./u, "");
  const wrong = pathProblem(path);
  if (wrong) throw new Error(wrong);
  return [`event_data.${path}`, value];
}

function checkedRange(key) {
  if (PRESETS.has(key)) return key;
  throw new Error(say("filter.range", { ranges: [...PRESETS.keys()].join(", ") }));
}

function checkedType(type) {
  if (type.length > 255) throw new Error(say("filter.type"));
  return type;
}

function checkedCustomer(digits) {
  const isCustomer = /^-?[0-9]{1,19}$/u.test(digits) && BigInt(digits) < MOST && BigInt(digits) >= -MOST;
  if (!isCustomer) throw new Error(say("filter.customer"));
  return digits;
}

function unquoted(value) {
  try {
    return value.startsWith('"') ? JSON.parse(value) : value;
  } catch {
    return value;
  }
}
