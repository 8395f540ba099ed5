// Conventional fields of an event: who did what to what, with which outcome, from where. The names and the other paths
// that each is read from are those of core/domain/conventional_fields.py, which the page gets as an attribute.

import { isMapped, pathsOf } from "./catalogue.js";
import { isScalar, valueAt } from "./paths.js";

const { fields, successes, failures, pairs } = JSON.parse(document.documentElement.dataset.fields);

/** Paths by the name of a field, best first. */
export const PATHS = new Map(Object.entries(fields));
export const CHANGE_PAIRS = pairs;
export const WORDS = { success: successes, failure: failures };

/**
 * Find a field in an event: {path, value, label}, or null. `label` is the name that belongs to an id, else the value as
 * text; `path` and `value` are what a filter needs.
 */
export function fieldOf(event, name) {
  for (const [place, path] of pathsOf(event.event_type, name, PATHS.get(name)).entries()) {
    const value = valueAt(event.event_data, path);
    const isFound = value !== undefined && value !== null && value !== "" && isScalar(value);
    // Elsewhere, a status or result that is no known word means something else.
    if (isFound && (name !== "outcome" || place === 0 || verdict(value))) {
      const known = name === "outcome" && verdict(value);
      return { path, value, label: known || labelOf(event.event_data, path, value) };
    }
  }
  return null;
}

/** The outcome of an event: "success", "failure", or null if it has none or one of another kind. */
export function verdictOf(event) {
  const outcome = fieldOf(event, "outcome");
  return outcome && verdict(outcome.value);
}

/** "success" or "failure" if a value is one of the known words, else null. */
export function verdict(value) {
  const word = String(value).toLowerCase();
  if (failures.includes(word)) return "failure";
  return successes.includes(word) ? "success" : null;
}

/** Names of all targets of an event. */
export function targetsOf(event) {
  const { targets } = isMapped(event.event_type, "target") ? {} : event.event_data;
  const names = Array.isArray(targets) ? targets.map((target) => target?.name ?? target?.id) : [];
  const texts = names.filter((name) => name !== undefined && name !== null && isScalar(name)).map(text);
  if (texts.length) return texts;
  const target = fieldOf(event, "target");
  return target ? [target.label] : [];
}

function labelOf(data, path, value) {
  const name = /\.(id|uid)$/u.test(path) ? valueAt(data, path.replace(/u?id$/u, "name")) : undefined;
  return text(typeof name === "string" && name ? name : value);
}

function text(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}
