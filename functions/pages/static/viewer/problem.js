// The error box: the problem in plain words, and a button that helps.

import { byId, el, keepFocus } from "./dom.js";
import { fieldName, visible } from "./format.js";

const BUSY = new Set([0, 408, 429]); // temporary, as 5xx are
const NAMES = { timestamp_start_utc: "Start of the range", timestamp_end_utc: "End of the range" };
const ORDER = "must not be after timestamp_end_utc";

/** `retry()` asks again, `signOut()` changes the client, `allTime()` drops the range. */
export class Problem {
  #box = byId("problem");
  #ways;

  constructor(ways) {
    this.#ways = ways;
  }

  /** Show an error, except that of an aborted request. */
  show(error) {
    if (error.name === "AbortError") return;
    const wrong = (error.errors ?? []).map((one) => el("li", {}, visible(sentence(one))));
    keepFocus(
      () => {
        this.#box.replaceChildren(
          el("strong", {}, visible(headline(error))),
          el("ul", { hidden: !wrong.length }, ...wrong),
          ...this.#buttons(error),
        );
        this.#box.hidden = false;
      },
      () => this.#box.querySelector("button"),
    );
  }

  clear() {
    keepFocus(
      () => {
        this.#box.hidden = true;
      },
      () => byId("results"),
    );
  }

  #buttons({ status, errors = [] }) {
    const { retry, signOut, allTime } = this.#ways;
    if (status === 403) return [button("Sign in as another client", signOut)];
    if (status === 422 && errors.some(({ loc }) => loc[0] in NAMES)) return [button("Show all time", allTime)];
    const isBusy = BUSY.has(status) || status >= 500 || status === undefined;
    return isBusy ? [button("Try again", retry)] : [];
  }
}

function headline({ status, message }) {
  if (status === 422) return "This search is not valid:";
  if (status === 403) return "This client lacks the scope events:read. Sign in with a client that has it.";
  return message;
}

function sentence({ loc, msg }) {
  const name = loc.at(-1);
  if (msg === ORDER) return "The start is after the end.";
  if (name in NAMES) return `${NAMES[name]}: ${msg}`;
  if (name === "customer_id") return "Filter customer: a customer is a whole number of at most 19 digits, such as 42.";
  return msg.startsWith("is not a parameter") ? `${name} ${msg}` : `Filter ${fieldName(name)}: ${msg}`;
}

function button(label, onclick) {
  return el("button", { type: "button", onclick }, label);
}
