// Forms of the page of streams: the definition, with the fields of its kind, and the place of a replay.

import { byId } from "./dom.js";
import { say } from "./language.js";
import { customersOf, definitionForm, FieldError, formDialog, lines } from "./managed-form.js";

const SETTINGS = { http: ["url", "body"], splunk: ["url", "index"], otlp: ["url"], s3: ["bucket", "region", "prefix"] };
const SECRETS = { http: [], splunk: ["token"], otlp: [], s3: ["access_key_id", "secret_access_key"] };
const WITH_HEADERS = new Set(["http", "otlp"]);
const HEADER = /^([^:\s]+):\s*(.*\S)\s*$/u;

/** Whether the form has the kind of this stream; others are the operator's, at the command line. */
export function isEditable(stream) {
  return stream.destination.kind in SETTINGS;
}

/** Set up the form of a stream; see definitionForm(). */
export function streamForm(api, saved) {
  return definitionForm(api, "stream-form", { texts: "streams", path: "stream", define, fill, saved });
}

/** Set up the form of a replay. Returns a function that opens it for a stream. */
export function replayForm(replay) {
  let stream = null;
  const { open } = formDialog("stream-replay", "from", ({ elements: { from, time } }) =>
    replay(stream, from.value === "time" ? `${time.value}Z` : from.value),
  );
  return (wanted) => {
    stream = wanted;
    byId("stream-replay").querySelector("button.primary").textContent = say("manage.replay");
    open();
  };
}

function fill(form, stream) {
  for (const name of SETTINGS[stream.destination.kind]) form.elements[name].value = stream.destination[name] ?? "";
  form.elements.format.value = stream.format;
  form.elements.drop.value = stream.drop.join("\n");
  form.elements.hash.value = stream.hash.join("\n");
}

/** Build the body of POST /stream, or of PUT with what the form has no field for. Throws FieldError. */
function define(form, former) {
  const field = (name) => form.elements[name].value.trim();
  const kind = field("kind");
  const set = Object.fromEntries(SETTINGS[kind].map((name) => [name, field(name)]));
  const kept = Object.entries(former?.destination ?? {}).filter(([name]) => !(name in set));
  const filled = Object.entries(set).filter(([, value]) => value);
  return {
    name: field("name"),
    destination: { ...Object.fromEntries([...kept, ...filled]), kind },
    secrets: former && !form.elements.replace_secrets.checked ? null : secretsOf(form, kind),
    format: field("format"),
    filter: field("filter"),
    drop: lines(field("drop")),
    hash: lines(field("hash")),
    customers: customersOf(form),
    ...(former ? { batch: former.batch } : { after: field("after") }),
  };
}

function secretsOf(form, kind) {
  const secrets = SECRETS[kind].map((name) => [name, form.elements[name].value.trim()]);
  const headers = WITH_HEADERS.has(kind) ? lines(form.elements.headers.value) : [];
  if (headers.length) secrets.push(["headers", Object.fromEntries(headers.map(header))]);
  return Object.fromEntries(secrets.filter(([, value]) => value));
}

function header(line) {
  const parts = HEADER.exec(line);
  if (!parts) throw new FieldError("headers", say("streams.headersWrong"));
  return [parts[1], parts[2]];
}
