// Print or PDF: a report of the listed events, after their proofs were checked.

import { byId, toast } from "./dom.js";
import { say } from "./language.js";
import { checkListed, statesText, stateText } from "./listed-proofs.js";
import { fillReport } from "./report.js";

/**
 * Set up the button, and the report of the browser's own command, which does not wait for proofs. `head()` is what
 * fillReport() takes, without the proofs; `signal()` is aborted when the list is replaced.
 */
export function printing({ results, ledger, signal, head }) {
  let states = new Map();

  async function checkAndPrint() {
    const { events } = results;
    byId("export-menu").hidePopover();
    const onProgress = (count) => toast(say("proof.progress", { count, all: events.length }));
    try {
      states = await checkListed(events, ledger, { signal: signal(), onProgress });
      print();
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    }
  }

  byId("print").addEventListener("click", checkAndPrint);
  addEventListener("beforeprint", () => {
    fillReport({ ...head(), proofs: statesText(results.events, states) });
    results.showReport(new Map([...states].map(([id, state]) => [id, stateText(state)])));
  });
  addEventListener("afterprint", () => {
    results.showReport(null);
    states = new Map(); // a later report checks again
  });
}
