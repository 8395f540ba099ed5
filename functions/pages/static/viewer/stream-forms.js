// Dialogs of the page of streams: a new stream, with the fields of its kind, and the place of a replay.

import { byId, el } from "./dom.js";
import { visible } from "./format.js";
import { say } from "./language.js";

const SETTINGS = { http: ["url", "body"], splunk: ["url", "index"], otlp: ["url"], s3: ["bucket", "region", "prefix"] };
const SECRETS = { http: [], splunk: ["token"], otlp: [], s3: ["access_key_id", "secret_access_key"] };
const WITH_HEADERS = new Set(["http", "otlp"]);
const HEADER = /^([^:\s]+):\s*(.*\S)\s*$/u;
const CUSTOMER = /^-?[0-9]{1,19}$/u;

/** Set up the form of a new stream. Returns a function that opens it for the claims of a token. */
export function streamForm(create) {
  const { form, open } = formDialog("stream-form", "kind", () => create(definition(form)));
  return ({ customers }) => {
    byId("stream-customers").hidden = Boolean(customers); // the service limits the stream to those of the token
    open();
  };
}

/** Set up the form of a replay. Returns a function that opens it for a stream. */
export function replayForm(replay) {
  let stream = null;
  const { form, open } = formDialog("stream-replay", "from", () => {
    const { from, time } = form.elements;
    return replay(stream, from.value === "time" ? `${time.value}Z` : from.value);
  });
  return (wanted) => {
    stream = wanted;
    open();
  };
}

/** Set up a dialog whose fields depend on the select element `choice`, and that `submit()` closes unless it throws. */
function formDialog(id, choice, submit) {
  const dialog = byId(id);
  const form = dialog.querySelector("form");
  const problem = byId(`${id}-problem`);

  function showFields() {
    for (const label of form.querySelectorAll("[data-kinds]")) {
      const isOfKind = label.dataset.kinds.split(" ").includes(form.elements[choice].value);
      label.hidden = !isOfKind;
      for (const field of label.querySelectorAll("input, select, textarea")) field.disabled = !isOfKind;
    }
  }

  form.elements[choice].addEventListener("change", showFields);
  form.querySelector("button[value=close]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => form.reset()); // keep no secret in a field
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.replaceChildren();
    try {
      await submit();
      dialog.close();
    } catch (error) {
      showProblem(problem, error);
    }
  });
  return {
    form,
    open: () => {
      problem.replaceChildren();
      showFields();
      dialog.showModal();
    },
  };
}

/** Show an error with the fields that it names. */
function showProblem(box, { message, errors = [] }) {
  const wrong = errors.map(({ loc, msg }) => el("li", {}, visible(`${loc.join(".")}: ${msg}`)));
  box.replaceChildren(errors.length ? el("ul", {}, ...wrong) : visible(message));
}

/** Build the body of POST /stream from the fields. Throws an error with the remedy. */
function definition(form) {
  const field = (name) => form.elements[name].value.trim();
  const kind = field("kind");
  const filled = (names) => Object.fromEntries(names.map((name) => [name, field(name)]).filter(([, value]) => value));
  const secrets = filled(SECRETS[kind]);
  if (WITH_HEADERS.has(kind) && field("headers")) secrets.headers = headers(lines(field("headers")));
  const customers = field("customers") ? { customers: numbers(field("customers")) } : {};
  return {
    name: field("name"),
    destination: { kind, ...filled(SETTINGS[kind]) },
    secrets,
    format: field("format"),
    filter: field("filter"),
    drop: lines(field("drop")),
    hash: lines(field("hash")),
    after: field("after"),
    ...customers,
  };
}

function lines(text) {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
}

function headers(found) {
  return Object.fromEntries(
    found.map((line) => {
      const parts = HEADER.exec(line);
      if (!parts) throw new Error(say("streams.headersWrong"));
      return [parts[1], parts[2]];
    }),
  );
}

/** Read integers, with all digits of those beyond 2^53 where the browser can send them. */
function numbers(text) {
  return text.split(/[\s,]+/u).map((digits) => {
    if (!CUSTOMER.test(digits)) throw new Error(say("streams.customersWrong"));
    return JSON.rawJSON ? JSON.rawJSON(String(BigInt(digits))) : Number(digits);
  });
}
