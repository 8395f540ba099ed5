// What this browser remembers of the ledger: its public key and the newest checkpoint that was verified, both of them
// public. A ledger with another key, or one that does not continue the remembered one, is not taken for the same.

import { keepPreference, preference } from "./preferences.js";

// Two stages of one host have two ledgers.
const NAME = `ledger ${new URL("../", import.meta.url).pathname}`;

/** Return {vkey, checkpoint}, where checkpoint is {size, root}, or null if nothing is remembered. */
export function pinnedLedger() {
  try {
    const { vkey, size, root } = JSON.parse(preference(NAME));
    return { vkey, checkpoint: { size: BigInt(size), root: decoded(root) } };
  } catch {
    return null;
  }
}

/** Remember the key, and the checkpoint unless a larger one is remembered for it. */
export function pinLedger(vkey, { size, root }) {
  const pinned = pinnedLedger();
  if (pinned?.vkey === vkey && pinned.checkpoint.size >= size) return;
  keepPreference(NAME, JSON.stringify({ vkey, size: String(size), root: btoa(String.fromCodePoint(...root)) }));
}

export function forgetLedger() {
  keepPreference(NAME, null);
}

function decoded(base64) {
  return Uint8Array.from(atob(base64), (byte) => byte.codePointAt(0));
}
