// Comparison of the event that is shown with what the ledger has of it, by value: 5 and 5.0 are equal, and the order of
// members does not matter. Stores return a value in another notation than the one that was sent.

import { isScalar } from "./paths.js";

const FIELDS = ["event_id", "event_type", "customer_id", "timestamp_utc", "received_at", "recorded_by"];
const MOST = 2n ** 63n;

/**
 * Return the name of the first field of `event` that differs from the proven `head` and `content`, the parsed JSON of
 * event_data or null if it is not known, or null if none does.
 */
export function differingField(event, head, content) {
  const field = FIELDS.find((name) => !isSameValue(event[name], head[name]));
  if (field) return field;
  return content === null || isSameValue(event.event_data, content) ? null : "event_data";
}

/** Whether two JSON values are equal. A raw JSON number keeps the digits that JavaScript would round. */
function isSameValue(one, other) {
  if (one === undefined || other === undefined) return false;
  if (isScalar(one) !== isScalar(other)) return false;
  if (isScalar(one)) return scalarText(one) === scalarText(other);
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const names = Object.keys(one);
  const areMany = names.length === Object.keys(other).length;
  return areMany && names.every((name) => Object.hasOwn(other, name) && isSameValue(one[name], other[name]));
}

function scalarText(value) {
  const text = JSON.stringify(value);
  const isNumber = value !== null && typeof value !== "string" && typeof value !== "boolean";
  return isNumber ? numberText(text) : text;
}

/** The digits of a signed 64-bit integer, however it is written, and for other numbers those of the double. */
function numberText(text) {
  const isInteger = /^-?[0-9]+$/u.test(text);
  if (!isInteger && !Number.isInteger(Number(text))) return String(Number(text));
  const value = BigInt(isInteger ? text : Number(text));
  return value >= -MOST && value < MOST ? String(value) : String(Number(text));
}
