// The proof of the open event: its state, checked in the browser, its files, and how to check them elsewhere.

import { copy, el } from "./dom.js";
import { visible } from "./format.js";
import { say } from "./language.js";
import { download } from "./new-file.js";

const SIGNS = { proven: "✓", erased: "✓", waiting: "…", refused: "✕", unable: "?", none: "?", checking: "…" };
/** Build the section for an event and check its proof with `ledger`, until `signal` is aborted. */
export function proofSection(event, ledger, signal) {
  const status = el("p", { class: "proof-state", role: "status" });
  const more = el("div", { class: "proof-more" });
  const section = el("section", { class: "proof", "aria-label": say("title.proof") }, status, more);

  function show(result) {
    section.className = `proof ${result.state}`;
    const sign = el("span", { class: "sign", "aria-hidden": "true" }, SIGNS[result.state]);
    status.replaceChildren(sign, " ", el("span", {}, proofText(result)));
    more.replaceChildren(...ways(result));
  }

  async function check() {
    try {
      const result = await ledger.check(event, signal);
      show(result);
      if (result.state === "waiting") setTimeout(() => signal.aborted || check(), result.seconds * 1000);
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    }
  }

  function ways(result) {
    if (result.proof) return files(event, result);
    if (!result.isOtherLedger) return [];
    return [el("p", {}, say("proof.ask")), button(say("proof.forget"), startAnew)];
  }

  function startAnew() {
    ledger.startAnew();
    show({ state: "checking" });
    status.tabIndex = -1;
    status.focus(); // the button is gone
    check();
  }

  show({ state: "checking" });
  check();
  return section;
}

/** The result of a check as a sentence. */
export function proofText({ state, index, size, vkey, reason }) {
  const place = () => say("proof.place", { index, size, name: visible(vkey.split("+")[0]) });
  const isProven = state === "proven" || state === "erased";
  return say(`proof.${state}`, { place: isProven ? place() : "", reason: visible(reason ?? "") });
}

function files(event, { vkey, proof, data }) {
  const name = event.event_id;
  const command = `audit-log verify ${name}.tlog-proof --key '${vkey}'`;
  const saves = el(
    "div",
    { class: "detail-actions" },
    button(say("proof.save"), () => download(proof, `${name}.tlog-proof`)),
    data && button(say("proof.saveData"), () => download(data, `${name}.data`)),
  );
  const how = el(
    "details",
    {},
    el("summary", {}, say("proof.how")),
    el("p", {}, say("proof.trust")),
    el("pre", {}, command),
    el("p", {}, say("proof.page")),
    el("pre", {}, vkey),
    el(
      "div",
      { class: "detail-actions" },
      button(say("proof.copyCommand"), () => copy(command, say("copy.command"))),
      button(say("proof.copyKey"), () => copy(vkey, say("copy.key"))),
    ),
  );
  return [saves, how];
}

function button(label, onclick) {
  return el("button", { type: "button", onclick }, label);
}
