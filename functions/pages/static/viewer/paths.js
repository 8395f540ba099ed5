// Paths into event_data, in the syntax of the API's parameters event_data.<path>=<value>.

import { say } from "./language.js";

const UNNAMEABLE = /[\\"\u0000-\u001F\u007F]/u;
const PLAIN = /^[^.[\]"]+$/u;
const STEP = /(?:(?<plain>[^.[\]"]+)|"(?<quoted>[^"]*)")(?<indexes>(?:\[(?:[0-9]{1,9}|\*)\])*)(?<more>\.|$)/uy;
const MOST_STEPS = 31;
export const MOST_SCALARS = 200; // of one event
const JSON_LOOKING = /^(true|false|null|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?|".*)$/su;

/** Format `steps` (names and indexes) as a path. Returns null if the API's syntax cannot express it. */
export function pathOf(steps) {
  if (steps.length > MOST_STEPS) return null;
  let path = "";
  for (const step of steps) {
    if (typeof step === "number") path += `[${step}]`;
    else if (UNNAMEABLE.test(step)) return null;
    else path += (path ? "." : "") + (PLAIN.test(step) ? step : `"${step}"`);
  }
  return path;
}

/** Parse a path to its names and indexes. Returns null if it is not one. */
export function stepsOf(path) {
  if (/[\\\u0000-\u001F\u007F]/u.test(path)) return null;
  const steps = [];
  STEP.lastIndex = 0;
  for (let more = "."; more;) {
    const step = STEP.exec(path);
    if (!step) return null;
    steps.push(step.groups.plain ?? step.groups.quoted);
    for (const [, index] of step.groups.indexes.matchAll(/\[([0-9]+|\*)\]/gu)) {
      steps.push(index === "*" ? index : Number(index)); // any element
    }
    ({ more } = step.groups);
  }
  return steps;
}

/** Find the value at a path, or undefined. */
export function valueAt(data, path) {
  return stepsOf(path)?.reduce(memberAt, data);
}

function memberAt(value, step) {
  return value !== null && typeof value === "object" && Object.hasOwn(value, step) ? value[step] : undefined;
}

/** Validate a path by the API's syntax. Returns the problem as a sentence, or null. */
export function pathProblem(path) {
  const steps = stepsOf(path);
  if (!steps) return say("path.malformed");
  return steps.length > MOST_STEPS ? say("path.long", { count: MOST_STEPS }) : null;
}

/** Validate a value. Returns the problem as a sentence, or null. */
export function valueProblem(value) {
  if (!value) return say("value.missing");
  if (!value.startsWith('"')) return null;
  try {
    JSON.parse(value);
    return null;
  } catch {
    return say("value.quote");
  }
}

/** Format a scalar as a parameter value. A string that looks like JSON is quoted, so that it stays a string. */
export function parameterValue(value) {
  if (typeof value === "string") return JSON_LOOKING.test(value) ? JSON.stringify(value) : value;
  return JSON.stringify(value);
}

/** Whether a value is a JSON scalar. A raw JSON number is an object to JavaScript. */
export function isScalar(value) {
  return value === null || typeof value !== "object" || Boolean(JSON.isRawJSON?.(value));
}

/** List the first scalars of an event's data that have a path: [{path, value}]. */
export function scalars(data) {
  const found = [];
  const waiting = [[[], data]];
  while (waiting.length && found.length < MOST_SCALARS) {
    const [steps, value] = waiting.shift();
    const path = pathOf(steps);
    if (path === null) continue;
    if (isScalar(value)) found.push({ path, value });
    else for (const [step, inner] of members(value).slice(0, MOST_SCALARS)) waiting.push([[...steps, step], inner]);
  }
  return found;
}

/** List the members of an object by name, or of an array by index. */
export function members(value) {
  return Array.isArray(value) ? [...value.entries()] : Object.entries(value);
}
