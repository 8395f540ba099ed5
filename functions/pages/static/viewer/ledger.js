// Proofs of events in the ledger, fetched from the service and verified in the browser.

import { parse } from "./api.js";
import { say } from "./language.js";
import { forgetLedger, pinLedger, pinnedLedger } from "./pinned-ledger.js";
import { differingField } from "./same-event.js";
import { CannotCheck, isSame, NotProven, parseKey, text, verifyConsistency, verifyEvent } from "./verifier.js";

const ERASED = 410;
const NOT_FOUND = 404;

export class Ledger {
  #api;

  constructor(api) {
    this.#api = api;
  }

  /**
   * Verify that `event`, as it is shown, is in the ledger. Resolves to {state, ...}:
   * "proven" {index, size, vkey, proof, data}: both files as bytes
   * "erased": the same, with data null; everything but event_data is proven
   * "waiting" {seconds}: no signed checkpoint has the event yet, ask again then
   * "refused" {reason, isOtherLedger}: not proven; isOtherLedger: it is not the ledger that this browser remembers
   * "unable": this browser cannot check signatures
   * "none" {reason, status}: the service has no proof, or did not answer, by this HTTP status
   */
  async check(event, signal) {
    try {
      return await this.#verified(event, signal);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      if (error instanceof CannotCheck) return { state: "unable" };
      if (error.status === NOT_FOUND && error.retryAfter) return { state: "waiting", seconds: error.retryAfter };
      if (error.status !== undefined) return { state: "none", reason: error.message, status: error.status };
      const isKnown = error instanceof NotProven;
      const known = error.isSaid ? error.message : say("ledger.reason", { reason: error.message });
      const reason = isKnown ? known : say("ledger.malformed");
      return { state: "refused", reason, isOtherLedger: isKnown && error.isOtherLedger };
    }
  }

  /** Take the key and the checkpoint that the service has now for those of the ledger. */
  startAnew() {
    forgetLedger();
  }

  async #verified(event, signal) {
    // Read before the proof is fetched: a check at the same time may remember a newer checkpoint meanwhile.
    const pinned = pinnedLedger();
    const path = `event/${encodeURIComponent(event.event_id)}/proof`;
    const [vkey, proof, data] = await Promise.all([
      pinned?.vkey ?? this.#vkey(signal),
      this.#api.bytes(path, [], signal),
      this.#data(path, signal),
    ]);
    const key = await parseKey(vkey);
    let found = await verifyEvent(key, proof, data);
    let file = proof;
    if (pinned) {
      const newest = await this.#continued(key, pinned.checkpoint, found, signal);
      if (newest.size !== found.size) {
        file = await this.#api.bytes(path, [["tree_size", newest.size]], signal);
        found = await verifyEvent(key, file, data);
      }
      if (!isSame(newest, found)) refuse(say("ledger.roots"), true);
    }
    const content = found.content === null ? null : parse(found.content);
    const field = differingField(event, parse(found.shown), content);
    if (field) refuse(say("ledger.differs", { field }), false);
    pinLedger(vkey, found);
    const state = data === null ? "erased" : "proven";
    return { state, index: found.index, size: found.size, vkey, proof: file, data };
  }

  /** Fetch a checkpoint that continues `last` and has all of `found`; `found` itself if they are the same. */
  async #continued(key, last, found, signal) {
    if (found.size === last.size) return last;
    if (found.size < last.size) {
      refuse(say("ledger.smaller", { now: found.size, seen: last.size }), true);
    }
    const file = await this.#api.bytes("ledger/consistency", [["old", last.size]], signal);
    try {
      return await verifyConsistency(key, last, file);
    } catch (error) {
      throw error instanceof NotProven ? Object.assign(error, { isOtherLedger: true }) : error;
    }
  }

  /** The key that the service names, for a browser that remembers none. */
  async #vkey(signal) {
    const policy = text(await this.#api.bytes("ledger/policy", [], signal));
    const [, vkey] = /^log (\S+)/mu.exec(policy) ?? [];
    if (!vkey) refuse(say("ledger.noKey"), false);
    return vkey;
  }

  /** The data document of an event, or null if it was erased. */
  async #data(path, signal) {
    try {
      return await this.#api.bytes(`${path}/data`, [], signal);
    } catch (error) {
      if (error.status === ERASED) return null;
      throw error;
    }
  }
}

/** Refuse a proof for a reason in the language of the page; those of the verifier are English. */
function refuse(reason, isOtherLedger) {
  throw Object.assign(new NotProven(reason), { isOtherLedger, isSaid: true });
}
