// An export of what is looked at: the parts that GET /event/export answers, written to a file one after the other.

import { ApiError } from "./api.js";
import { byId, toast } from "./dom.js";
import { events, number } from "./format.js";
import { newFile } from "./new-file.js";

const NEWLINE = 10;

/** Wires the menu up. `query()` gives the parameters to export by; `stop()` of what is returned ends an export at work. */
export function exporting(api, query) {
  const open = byId("export");
  const menu = byId("export-menu");
  const goOn = byId("export-go-on");
  let running = new AbortController();

  async function run(kind) {
    menu.hidePopover();
    open.hidden = true;
    running = new AbortController();
    let file = null;
    try {
      file = await newFile(`audit-log-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}Z.${kind}`, kind);
      const written = await writeParts(kind, file, running.signal);
      await file.close();
      toast(`${events(written)} exported`);
    } catch (error) {
      await file?.discard();
      if (error.name !== "AbortError") toast(`Nothing was exported: ${error.message}`);
      else if (file) toast("Export stopped: nothing of it was saved");
    } finally {
      byId("exporting").hidden = true;
      open.hidden = false;
    }
  }

  /** Write part after part until there is no more; how many events they hold. */
  async function writeParts(kind, file, signal) {
    let next = `event/export?${new URLSearchParams([...query(), ["format", kind]])}`;
    let lines = kind === "csv" ? -1 : 0; // the header row is no event
    let size = 0;
    show("Exporting");
    while (next) {
      const part = await partAt(next, signal);
      await file.write(part.bytes);
      lines += new Uint8Array(part.bytes).reduce((count, byte) => count + (byte === NEWLINE), 0);
      size += part.bytes.byteLength;
      next = part.next;
      show(`Exporting: ${events(lines)}, ${number(Math.ceil(size / 1000))} kB`);
    }
    return lines;
  }

  /** The part at an address, which is asked for again as often as somebody says so. */
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

  function show(text) {
    byId("exporting").hidden = false;
    byId("exported").textContent = text;
  }

  function stop() {
    running.abort();
  }

  menu.addEventListener("click", (event) => event.target.value && run(event.target.value));
  byId("export-stop").addEventListener("click", stop);
  return { stop };
}

/** Resolves when the button is pressed; rejects when `signal` is aborted before. */
function pressed(button, signal) {
  return new Promise((resolve, reject) => {
    button.addEventListener("click", resolve, { once: true, signal });
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
