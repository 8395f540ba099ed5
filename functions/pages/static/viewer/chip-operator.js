// The operator of a filter, which its chip lets the user change in place.

import { el } from "./dom.js";
import { operatorName } from "./format.js";
import { say } from "./language.js";

const ALL = ["", "[not]", "[gt]", "[gte]", "[lt]", "[lte]"];
const WITHOUT_PREFIX = /^(?:customer_id|timestamp_utc|received_at)$/u;
const FIXED = /^(?:q|timestamp_(?:start|end)_utc)$/u; // these take no operator

/**
 * Make the choice of the operator of a filter: `field` is its parameter without it, `label` its name and value. Returns
 * null if there is no other one; `[exists]` takes no value that another one could take.
 */
export function operatorChoice(field, operator, label, choose) {
  if (operator === "[exists]" || FIXED.test(field)) return null;
  const offered = WITHOUT_PREFIX.test(field) ? ALL : [...ALL, "[prefix]"];
  if (!offered.includes(operator)) return null; // the service refuses it, and says why
  const options = offered.map((one) => el("option", { value: one }, operatorName(one)));
  const select = el("select", { class: "operator", "aria-label": say("filter.operator", { label }) }, ...options);
  select.value = operator;
  select.addEventListener("change", () => choose(select.value));
  return select;
}
