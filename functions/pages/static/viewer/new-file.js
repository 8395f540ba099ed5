// A file on the disk of whoever looks at the page: written as it comes, where the browser can do that, or else kept by the
// browser until it is whole.

const TYPES = { ndjson: "application/x-ndjson", csv: "text/csv" };

/**
 * Ask where to, if the browser can; rejects with an AbortError when nobody wants to say.
 *
 * Call it while a click is at work, as browsers want it. What it resolves to takes `write(bytes)` as often as needed, and
 * then either `close()`, after which the file is there, or `discard()`.
 */
export async function newFile(name, kind) {
  return window.showSaveFilePicker ? streamed(name, kind) : downloaded(name, kind);
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
    write: async (bytes) => parts.push(new Blob([bytes])), // which a browser moves to disk when they become many
    close: async () => save(new Blob(parts, { type: TYPES[kind] }), name),
    discard: async () => { parts = []; },
  };
}

/** The one link that the page makes: to a file of its own, gone once it is followed. */
function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // a download begins when the browser comes to it
}
