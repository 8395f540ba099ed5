// The error box: the problem in plain words, and a button that helps.

import { byId, el, keepFocus } from "./dom.js";
import { fieldName, visible } from "./format.js";
import { isEmbedded } from "./host.js";
import { say } from "./language.js";

const BUSY = new Set([0, 408, 429]); // temporary, as 5xx are
const NAMES = { timestamp_start_utc: "problem.start", timestamp_end_utc: "problem.end" };
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
    if (status === 403 && signOut) return [button(say("problem.otherClient"), signOut)];
    if (status === 422 && errors.some(({ loc }) => loc[0] in NAMES)) return [button(say("range.showAll"), allTime)];
    const isBusy = BUSY.has(status) || status === 403 || status >= 500 || status === undefined;
    return isBusy ? [button(say("problem.retry"), retry)] : [];
  }
}

function headline({ status, message }) {
  if (status === 422) return say("problem.search");
  if (status === 403) return say(isEmbedded ? "embed.refused" : "problem.scope");
  return message;
}

function sentence({ loc, msg }) {
  const name = loc.at(-1);
  if (msg === ORDER) return say("range.order");
  if (name in NAMES) return say(NAMES[name], { problem: msg });
  if (name === "customer_id") return say("problem.customer");
  return msg.startsWith("is not a parameter")
    ? say("problem.service", { detail: `${name} ${msg}` })
    : say("problem.filter", { name: fieldName(name), problem: msg });
}

function button(label, onclick) {
  return el("button", { type: "button", onclick }, label);
}
