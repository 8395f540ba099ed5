// Export of the current view: fetches the parts of GET /event/export in order and appends them to one file.

import { ApiError } from "./api.js";
import { byId, toast } from "./dom.js";
import { events } from "./format.js";
import { say } from "./language.js";
import { newFile } from "./new-file.js";
import { spreadsheet } from "./spreadsheet.js";

const NEWLINE = 10;

/** Set up the menu. `query()` returns the parameters of the export; `stop()` of the result cancels a running export. */
export function exporting(api, query) {
  const open = byId("export");
  const menu = byId("export-menu");
  const goOn = byId("export-go-on");
  let running = new AbortController();

  async function run(choice) {
    const isSheet = choice === "spreadsheet";
    const kind = isSheet ? "csv" : choice;
    menu.hidePopover();
    open.hidden = true;
    running = new AbortController();
    let file = null;
    try {
      file = await newFile(`audit-log-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}Z.${kind}`, kind);
      if (isSheet) file = spreadsheet(file);
      const written = await writeParts(isSheet ? "ndjson" : kind, file, running.signal);
      await file.close();
      toast(say("export.done", { events: events(written) }));
    } catch (error) {
      await file?.discard();
      if (error.name !== "AbortError") toast(say("export.failed", { reason: error.message }));
      else if (file) toast(say("export.stopped"));
    } finally {
      byId("exporting").hidden = true;
      open.hidden = false;
    }
  }

  /** Write all parts to `file`. Resolves to the number of events. */
  async function writeParts(kind, file, signal) {
    let next = `event/export?${new URLSearchParams([...query(), ["format", kind]])}`;
    let lines = kind === "csv" ? -1 : 0; // the header row is not an event
    let size = 0;
    show(say("export.began"));
    while (next) {
      const part = await partAt(next, signal);
      await file.write(part.bytes);
      lines += new Uint8Array(part.bytes).reduce((count, byte) => count + (byte === NEWLINE), 0);
      size += part.bytes.byteLength;
      next = part.next;
      show(say("export.progress", { events: events(lines), size: Math.ceil(size / 1000) }));
    }
    return lines;
  }

  /** Fetch the part at a URL. After an error, wait for the user to continue, then fetch it again. */
  async function partAt(url, signal) {
    for (;;) {
      try {
        return await api.part(url, signal);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        show(error.message);
        goOn.hidden = false;
        await pressed(goOn, signal);
      } finally {
        goOn.hidden = true;
      }
    }
  }

  function stop() {
    running.abort();
  }

  menu.addEventListener("click", (event) => event.target.value && run(event.target.value));
  byId("export-stop").addEventListener("click", stop);
  return { stop };
}

function show(text) {
  byId("exporting").hidden = false;
  byId("exported").textContent = text;
}

/** Wait for a click on the button. Rejects when `signal` is aborted first. */
function pressed(button, signal) {
  return new Promise((resolve, reject) => {
    button.addEventListener("click", resolve, { once: true, signal });
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
