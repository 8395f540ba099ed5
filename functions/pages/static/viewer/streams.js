// The page of streams: their state, delay and reason, and what can be done with them. For tokens with the scope
// streams:manage; the service checks it with each request.

import { byId, copy, el } from "./dom.js";
import { visible } from "./format.js";
import { locale, number, say } from "./language.js";
import { replayForm, streamForm } from "./stream-forms.js";

const SCOPE = "streams:manage";
const REFRESH_MILLISECONDS = 5000;
const UNITS = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

export class StreamsPage {
  #api;
  #onSignedIn;
  #isShown = false;
  #listed = ""; // JSON of the streams in the table
  #form;
  #replay;

  /** `onSignedIn()` shows who is signed in. */
  constructor(api, onSignedIn) {
    this.#api = api;
    this.#onSignedIn = onSignedIn;
    this.#form = streamForm((definition) => this.#create(definition));
    this.#replay = replayForm((stream, after) => this.#continueFrom(stream, after));
    byId("new-stream").addEventListener("click", () => this.#form(api.claims));
    byId("copy-secret").addEventListener("click", () =>
      copy(byId("stream-secret-value").textContent, say("streams.secret")),
    );
    byId("stream-secret").addEventListener("close", () => byId("stream-secret-value").replaceChildren());
    setInterval(() => this.#refresh(), REFRESH_MILLISECONDS);
  }

  /** Show the link to this page if the token has the scope. */
  showLink() {
    byId("streams-link").hidden = !(this.#api.claims.scope ?? "").split(" ").includes(SCOPE);
  }

  /** Show this page if it is the wanted one, and hide the others. Resolves to whether it is. */
  async shown(page) {
    const wasShown = this.#isShown;
    this.#isShown = page === "streams";
    document.body.classList.toggle("on-streams", this.#isShown);
    byId("streams").hidden = !this.#isShown;
    if (!this.#isShown) return false;
    if (!wasShown) byId("streams-title").focus({ preventScroll: true });
    await this.#api.signedIn();
    this.#onSignedIn();
    await this.#load();
    return true;
  }

  /** Remove what the client that signs out has seen. */
  forget() {
    this.#listed = "";
    for (const id of ["streams-list", "streams-problem", "streams-note"]) byId(id).replaceChildren();
    byId("streams-link").hidden = true;
  }

  async #load() {
    try {
      const { streams } = await this.#api.get("stream", []);
      this.#report(null);
      this.#list(streams);
    } catch (error) {
      this.#report(error);
    }
  }

  async #refresh() {
    if (this.#isShown && !document.hidden && !document.querySelector("dialog[open]")) await this.#load();
  }

  #list(streams) {
    const listed = JSON.stringify(streams);
    if (listed === this.#listed) return;
    this.#listed = listed;
    const focused = document.activeElement?.id;
    byId("streams-list").replaceChildren(streams.length ? this.#table(streams) : el("p", {}, say("streams.none")));
    if (focused) (byId(focused) ?? byId("streams-title")).focus({ preventScroll: true });
  }

  #table(streams) {
    const names = ["name", "state", "behind", "refused", "acts"];
    const heads = names.map((name) => el("th", { scope: "col" }, say(`streams.${name}`)));
    const rows = streams.map((stream) => this.#row(stream));
    return el("table", { class: "streams-table" }, el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...rows));
  }

  #row(stream) {
    const { kind, url, bucket } = stream.destination;
    const place = visible([kind, hostOf(url) ?? bucket].filter(Boolean).join(" · "));
    return el(
      "tr",
      {},
      el("th", { scope: "row" }, visible(stream.name), el("span", { class: "muted small" }, place)),
      el(
        "td",
        {},
        el("span", { class: `state ${stateOf(stream)}` }, say(`streams.state.${stateOf(stream)}`)),
        stream.reason ? el("span", { class: "reason small" }, visible(stream.reason)) : null,
      ),
      el("td", {}, delay(Number(stream.behind_seconds.rawJSON ?? stream.behind_seconds))), // 0.0 keeps its digits
      el("td", {}, number(stream.refused)),
      el("td", { class: "stream-acts" }, ...this.#buttons(stream)),
    );
  }

  #buttons(stream) {
    const name = visible(stream.name);
    const acts = {
      test: () => this.#test(stream),
      ...(stream.state === "active"
        ? { pause: () => this.#act(stream, "pause") }
        : { resume: () => this.#act(stream, "resume") }),
      replay: () => this.#replay(stream),
    };
    return Object.entries(acts).map(([act, onclick]) => {
      const label = say(`streams.${act}`);
      // Pause and Resume are one control, which keeps the focus.
      const id = `${act === "resume" ? "pause" : act}-${stream.stream_id}`;
      return el(
        "button",
        { type: "button", id, "aria-label": say("streams.actOf", { act: label, name }), onclick },
        label,
      );
    });
  }

  async #act(stream, act) {
    await this.#attempt(async () => {
      const { state } = await this.#api.send("POST", `stream/${stream.stream_id}/${act}`);
      note(say("streams.done", { name: visible(stream.name), state: say(`streams.state.${state}`) }));
    });
  }

  async #test(stream) {
    await this.#attempt(async () => {
      const { delivered, reason } = await this.#api.send("POST", `stream/${stream.stream_id}/test`);
      const named = { name: visible(stream.name), reason: visible(reason ?? "") };
      note(say(delivered ? "streams.delivered" : "streams.failed", named));
    });
  }

  async #continueFrom(stream, after) {
    await this.#api.send("POST", `stream/${stream.stream_id}/replay`, { after });
    note(say("streams.replayed", { name: visible(stream.name) }));
    await this.#load();
  }

  async #create(definition) {
    const { name, signing_secret: secret } = await this.#api.send("POST", "stream", definition);
    note(say("streams.created", { name: visible(name) }));
    if (secret) {
      byId("stream-secret-value").textContent = secret;
      byId("stream-secret").showModal();
    }
    await this.#load();
  }

  /** Do something with a stream, report its failure, and list the streams again. */
  async #attempt(work) {
    try {
      await work();
      await this.#load();
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error) {
    const text = error?.status === 403 ? say("streams.scope") : visible(error?.message ?? "");
    if (byId("streams-problem").textContent !== text) byId("streams-problem").textContent = text;
  }
}

function note(text) {
  byId("streams-note").textContent = text;
}

function stateOf({ state, failures }) {
  return state === "active" && failures ? "retrying" : state;
}

function hostOf(url) {
  return url ? (URL.parse?.(url)?.host ?? url) : null;
}

/** Format a delay in its largest unit. */
function delay(seconds) {
  const [unit, length] = UNITS.find(([, one]) => seconds >= one) ?? UNITS.at(-1);
  const rounded = Math.round(seconds / length);
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long" }).format(rounded);
}
