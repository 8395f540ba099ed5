// CSV for spreadsheets: times that they recognise, and a column for each path into event_data. The paths are known only
// at the end, so the events are kept in blobs, which browsers move to disk, and written in a second pass.

import { parse } from "./api.js";
import { isScalar, members, pathOf } from "./paths.js";

const FIXED = ["time_utc", "event_type", "customer_id", "event_id", "received_at", "recorded_by"];
const WHOLE = "event_data";
const MOST_COLUMNS = 500;
const BOM = "\uFEFF"; // without it, Excel reads UTF-8 as another encoding
const FORMULA = /^[=+\-@\t\r\n']/u; // as in the CSV of the API

/** Wrap a file of newFile(): it takes the parts of an export in NDJSON and becomes CSV when it is closed. */
export function spreadsheet(file) {
  const parts = [];
  const columns = new Set();
  let isCut = false; // an event has values that no column has

  function learn(event) {
    for (const path of leaves(event.event_data).keys()) {
      if (columns.size < MOST_COLUMNS) columns.add(path);
      else isCut ||= !columns.has(path);
    }
  }

  return {
    write: async (bytes) => {
      for (const event of eventsOf(new TextDecoder().decode(bytes))) learn(event);
      parts.push(new Blob([bytes]));
    },
    close: async () => {
      const paths = [...columns];
      const head = [...FIXED, ...paths.map((path) => `${WHOLE}.${path}`), ...(isCut ? [WHOLE] : [])];
      await file.write(encoded(BOM + record(head)));
      for (const part of parts) {
        await file.write(encoded(records(eventsOf(await part.text()), paths, isCut)));
      }
      await file.close();
    },
    discard: () => file.discard(),
  };
}

function records(events, paths, isCut) {
  return events.map((event) => record(cells(event, paths, isCut))).join("");
}

function cells(event, paths, isCut) {
  const found = leaves(event.event_data);
  // The form of RFC 3339 that spreadsheets take for a time: a space in place of the T, and no zone.
  const time = new Date(event.timestamp_utc * 1000).toISOString().slice(0, 19).replace("T", " ");
  const { event_type: type, customer_id: customer, event_id: id, received_at: received, recorded_by: by } = event;
  const whole = isCut && [...found.keys()].some((path) => !paths.includes(path));
  return [
    time,
    type,
    customer,
    id,
    received,
    by,
    ...paths.map((path) => (found.has(path) ? found.get(path) : "")),
    ...(isCut ? [whole ? JSON.stringify(event.event_data) : ""] : []),
  ];
}

/** Find the scalars of an event's data, and empty lists and objects, by their path. */
function leaves(data) {
  const found = new Map();
  const visit = (value, steps) => {
    const inner = isScalar(value) ? [] : members(value);
    if (inner.length) {
      for (const [step, one] of inner) visit(one, [...steps, step]);
    } else {
      found.set(pathOf(steps) ?? JSON.stringify(steps), value);
    }
  };
  visit(data, []);
  return found;
}

function eventsOf(text) {
  return text.split("\n").filter(Boolean).map(parse);
}

function record(values) {
  return `${values.map(cell).join(",")}\r\n`;
}

/** Format a value as a field of RFC 4180. A text that a spreadsheet would evaluate gets an apostrophe. */
function cell(value) {
  const text = typeof value === "string" ? value.replace(FORMULA, "'$&") : JSON.stringify(value);
  return /[",\r\n]/u.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function encoded(text) {
  return new TextEncoder().encode(text);
}
