// The session of a person who signed in at the identity provider: a cookie that this page cannot read.

import { byId } from "./dom.js";

const isOffered = document.documentElement.dataset.signIn === "on";
const RETRY_MS = 5000;
const VIEW = "audit-log-view"; // what the address says after #, which does not survive the way to the provider

const POST = { method: "POST", credentials: "same-origin" };

let issuedAt = -RETRY_MS;
let hasSession = false;
let hasExpired = false;

const kept = isOffered && sessionStorage.getItem(VIEW);
if (kept !== null && kept !== false) {
  sessionStorage.removeItem(VIEW);
  if (!location.hash) history.replaceState(history.state, "", kept || location.pathname);
}

/** A token for the session, or null without one. `request` is that of the API. */
export async function sessionToken(request) {
  hasExpired = false;
  const now = performance.now();
  if (!isOffered || now - issuedAt < RETRY_MS) return null; // the service refused the last one at once
  issuedAt = now;
  try {
    const { token } = await request("session/token", POST);
    hasSession = true;
    byId("sign-out-everywhere").hidden = false;
    return token;
  } catch (error) {
    hasExpired = hasSession;
    hasSession = false;
    byId("sign-out-everywhere").hidden = true;
    if (error.status === 401) return null;
    throw error;
  }
}

/** Whether the session that this page had has ended by itself or in another browser. */
export function hasSessionExpired() {
  return hasExpired;
}

/**
 * End the session, or all sessions of its person. Resolves to whether there was one, and to the URL of the identity
 * provider that ends its session, or null. Throws ApiError, except if the session has expired.
 */
export async function endSession(request, everywhere) {
  if (!hasSession) return { wasSession: false, url: null };
  let url = null;
  try {
    const answer = await request(`session/sign-out${everywhere ? "?everywhere=true" : ""}`, POST);
    url = answer.end_session_url;
  } catch (error) {
    if (error.status !== 401) throw error;
  }
  hasSession = false;
  issuedAt = performance.now(); // there is nothing to ask for
  byId("sign-out-everywhere").hidden = true;
  return { wasSession: true, url };
}

/** Set up the button that leads to the identity provider. */
export function offerSignIn() {
  const button = byId("session-sign-in");
  button.hidden = !isOffered;
  button.addEventListener("click", () => {
    sessionStorage.setItem(VIEW, location.hash);
    location.assign("session/sign-in");
  });
}
