// Preferences of the page in the browser's storage, with the public key and size of the ledger: nothing about the user,
// the token or an event. No other module uses the storage.

const PREFIX = "audit-log.";
const current = new Map(); // for browsers that deny storage

/** Return a stored preference, or null. */
export function preference(name) {
  if (current.has(name)) return current.get(name);
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

/** Store a preference; null removes it. */
export function keepPreference(name, value) {
  current.set(name, value);
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, value);
  } catch {
    // The preference holds until the page is closed.
  }
}
