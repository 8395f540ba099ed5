// A file on the user's disk: streamed where the browser supports it, otherwise collected in the browser and downloaded
// when complete.

import { isEmbedded } from "./host.js";

const TYPES = { ndjson: "application/x-ndjson", csv: "text/csv" };

/**
 * Create a file, at a place the user chooses if the browser can ask. Rejects with an AbortError if the user cancels.
 *
 * Browsers require a call from a click's handler. The resulting file takes any number of `write(bytes)`, then either
 * `close()`, which completes it, or `discard()`.
 */
export async function newFile(name, kind) {
  // Browsers let no page of another origin ask.
  return window.showSaveFilePicker && !isEmbedded ? streamed(name, kind) : downloaded(name, kind);
}

async function streamed(suggestedName, kind) {
  const handle = await showSaveFilePicker({ suggestedName, types: [{ accept: { [TYPES[kind]]: [`.${kind}`] } }] });
  const stream = await handle.createWritable();
  return {
    write: (bytes) => stream.write(bytes),
    close: () => stream.close(),
    discard: () => stream.abort(),
  };
}

function downloaded(name, kind) {
  let parts = [];
  return {
    write: async (bytes) => parts.push(new Blob([bytes])), // browsers move large blobs to disk
    close: async () => save(new Blob(parts, { type: TYPES[kind] }), name),
    discard: async () => {
      parts = [];
    },
  };
}

/** Download bytes as a file. */
export function download(bytes, name) {
  save(new Blob([bytes]), name);
}

/** Download a blob. This is the only link that the page creates. */
function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser starts the download later
}
