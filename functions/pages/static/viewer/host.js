// The page around this one, if it is embedded: it gives tokens, and gets the height. Messages of any other window or
// origin are ignored.

import { ApiError } from "./api.js";
import { say } from "./language.js";

const { embed: HOST } = document.documentElement.dataset; // undefined if it stands alone, empty without such a page
const TOKEN = "audit-log:token";
const PATTERN = /^[A-Za-z0-9\-._~+/]{1,16384}=*$/u;
const ANSWER_SECONDS = 20;
const REFUSED_SECONDS = 10;
const EARLY_SECONDS = 60;
const PAUSE_SECONDS = 10;
const LONGEST_SECONDS = 86_400; // a timer of more than 24 days would end at once

/** Whether this page is made for an iframe. */
export const isEmbedded = HOST !== undefined;

/** Set up the tokens of the host: a function like that of signInDialog(). */
export function hostTokens() {
  let receive = null;
  let refusedAt = -Infinity;
  addEventListener("message", ({ source, origin, data }) => {
    if (source === parent && origin === HOST && data?.type === TOKEN) receive?.(data.token);
  });

  function ask() {
    return new Promise((resolve, reject) => {
      const fail = () => reject(new ApiError(0, say("embed.noToken")));
      const timer = setTimeout(fail, ANSWER_SECONDS * 1000);
      receive = (token) => {
        clearTimeout(timer);
        receive = null;
        if (typeof token === "string" && PATTERN.test(token)) resolve(token);
        else fail();
      };
      parent.postMessage({ type: TOKEN }, HOST);
    });
  }

  return async (reason) => {
    if (!HOST || parent === window) throw new ApiError(0, say("embed.alone"));
    if (reason) {
      const isAgain = performance.now() - refusedAt < REFUSED_SECONDS * 1000;
      refusedAt = performance.now();
      if (isAgain) throw new ApiError(0, say("embed.refused")); // a new token would be refused as well
    }
    return ask();
  };
}

/** Replace the token of `api` a minute before its end, or at half of a life of less than two minutes. */
export function renewTokens(api) {
  let timer = null;

  async function renew() {
    const { exp: end } = api.claims;
    try {
      await api.renew();
    } catch {
      timer = setTimeout(renew, PAUSE_SECONDS * 1000); // a request after the end asks again, and reports
      return;
    }
    if (api.claims.exp > end) schedule();
  }

  function schedule() {
    clearTimeout(timer);
    const { iat: start, exp: end } = api.claims;
    if (!Number.isFinite(end - start)) return;
    const seconds = end - api.now - Math.min(EARLY_SECONDS, (end - start) / 2);
    timer = setTimeout(renew, Math.min(LONGEST_SECONDS, Math.max(PAUSE_SECONDS, seconds)) * 1000);
  }

  api.addEventListener("token", schedule);
}

/** Report the height of the page to the host whenever it changes. */
export function reportHeight() {
  if (!HOST || parent === window) return;
  const report = () => {
    const { height } = document.body.getBoundingClientRect();
    parent.postMessage({ type: "audit-log:height", height: Math.ceil(height) }, HOST);
  };
  new ResizeObserver(report).observe(document.body);
}
