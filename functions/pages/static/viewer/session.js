// The session of a person who signed in at the identity provider: a cookie that this page cannot read.

import { byId } from "./dom.js";

const isOffered = document.documentElement.dataset.signIn === "on";
const RETRY_MS = 5000;
const VIEW = "audit-log-view"; // what the address says after #, which does not survive the way to the provider

const POST = { method: "POST", credentials: "same-origin" };

let issuedAt = -RETRY_MS;
let hasSession = false;

const kept = isOffered && sessionStorage.getItem(VIEW);
if (kept !== null && kept !== false) {
  sessionStorage.removeItem(VIEW);
  if (!location.hash) history.replaceState(history.state, "", kept || location.pathname);
}

/** A token for the session, or null without one. `request` is that of the API. */
export async function sessionToken(request) {
  const now = performance.now();
  if (!isOffered || now - issuedAt < RETRY_MS) return null; // the service refused the last one at once
  issuedAt = now;
  try {
    const { token } = await request("session/token", POST);
    hasSession = true;
    byId("sign-out-everywhere").hidden = false;
    return token;
  } catch (error) {
    hasSession = false;
    if (error.status === 401) return null;
    throw error;
  }
}

/** End the session, or all sessions of its person. Throws ApiError, except if there is none any more. */
export async function endSession(request, everywhere) {
  if (!hasSession) return;
  try {
    await request(`session/sign-out${everywhere ? "?everywhere=true" : ""}`, POST);
  } catch (error) {
    if (error.status !== 401) throw error;
  }
  hasSession = false;
  byId("sign-out-everywhere").hidden = true;
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
