// The proofs of all listed events, checked for a printed report.

import { say } from "./language.js";

const AT_ONCE = 4;
const BUSY = new Set([429, 503]);

/**
 * Check the `events` with `ledger`. Resolves to a map from event id to a state of Ledger.check(). `onProgress(count)`
 * is called after each. If the service is too busy, the rest is left out.
 */
export async function checkListed(events, ledger, { signal, onProgress }) {
  const states = new Map();
  const waiting = [...events];
  async function work() {
    for (let event = waiting.shift(); event; event = waiting.shift()) {
      const result = await ledger.check(event, signal);
      if (BUSY.has(result.status)) waiting.length = 0;
      else states.set(event.event_id, result.state);
      onProgress(states.size);
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return states;
}

/** The results for `events` in a sentence. `states` are those of checkListed(). */
export function statesText(events, states) {
  const counts = Map.groupBy(events, ({ event_id: id }) => stateText(states.get(id)));
  return [...counts].map(([words, { length }]) => `${length} ${words}`).join(", ");
}

/** The words of a report for a state; undefined: not checked. */
export function stateText(state) {
  return say(`state.${state === undefined || state === "unable" ? "unchecked" : state}`);
}
