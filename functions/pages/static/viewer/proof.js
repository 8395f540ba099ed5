// The proof of the open event: its state, checked in the browser, its files, and how to check them elsewhere.

import { copy, el } from "./dom.js";
import { number, visible } from "./format.js";
import { download } from "./new-file.js";

const SIGNS = { proven: "✓", erased: "✓", waiting: "…", refused: "✕", unable: "?", none: "?", checking: "…" };
const TRUST =
  "This page and its key come from the service. For a check that does not depend on it, get the key from another " +
  "source, such as a contract, and verify the files with a program that the service did not deliver:";

/** Build the section for an event and check its proof with `ledger`, until `signal` is aborted. */
export function proofSection(event, ledger, signal) {
  const status = el("p", { class: "proof-state", role: "status" });
  const more = el("div", { class: "proof-more" });
  const section = el("section", { class: "proof", "aria-label": "Proof" }, status, more);

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
    return [
      el("p", {}, "Ask the operator for the reason before you continue: the log may have been replaced or restored."),
      button("Forget the remembered key and checkpoint", startAnew),
    ];
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
  const place = () => `entry ${number(index)} of ${number(size)}, signed by ${visible(vkey.split("+")[0])}`;
  const texts = {
    proven: () => `Proven: ${place()}`,
    erased: () => `Erased: event_data is gone, the rest is proven, ${place()}`,
    waiting: () => "Stored, provable in a few seconds",
    refused: () => `Not proven: ${visible(reason)}`,
    unable: () =>
      "This browser cannot check here: that takes https or localhost, and Chrome 137, Firefox 129, Safari 17 or later",
    none: () => `No proof: ${visible(reason)}`,
    checking: () => "Checking the proof",
  };
  return texts[state]();
}

function files(event, { vkey, proof, data }) {
  const name = event.event_id;
  const command = `audit-log verify ${name}.tlog-proof --key '${vkey}'`;
  const saves = el(
    "div",
    { class: "detail-actions" },
    button("Save proof", () => download(proof, `${name}.tlog-proof`)),
    data && button("Save data of proof", () => download(data, `${name}.data`)),
  );
  const how = el(
    "details",
    {},
    el("summary", {}, "How to check this without us"),
    el("p", {}, TRUST),
    el("pre", {}, command),
    el("p", {}, "Or open docs/verify.html of the audit log's source from a disk, with the key:"),
    el("pre", {}, vkey),
    el(
      "div",
      { class: "detail-actions" },
      button("Copy command", () => copy(command, "Command")),
      button("Copy key", () => copy(vkey, "Key")),
    ),
  );
  return [saves, how];
}

function button(label, onclick) {
  return el("button", { type: "button", onclick }, label);
}
