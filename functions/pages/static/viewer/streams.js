// The page of streams: their state, delay and refusals, and what can be done with them.

import { confirmed } from "./confirm.js";
import { openDialog } from "./dialogs.js";
import { byId, copy, el } from "./dom.js";
import { visible } from "./format.js";
import { locale, number, say } from "./language.js";
import { ManagedPage, nameCell } from "./managed-page.js";
import { isEditable, replayForm, streamForm } from "./stream-forms.js";

const UNITS = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

export class StreamsPage extends ManagedPage {
  #form;
  #replay;

  constructor(api, onSignedIn) {
    const columns = ["manage.state", "streams.behind", "streams.refused"];
    super(api, onSignedIn, {
      name: "streams",
      path: "stream",
      member: "streams",
      id: "stream_id",
      columns,
      none: say("streams.none"),
      advice: say("streams.first"),
    });
    this.#form = streamForm(api, (stream, isNew) => this.#saved(stream, isNew));
    this.#replay = replayForm((stream, after) => this.#continueFrom(stream, after));
    byId("new-stream").addEventListener("click", () => this.#form.create());
    byId("copy-secret").addEventListener("click", () =>
      copy(byId("stream-secret-value").textContent, say("streams.secret")),
    );
    byId("stream-secret").addEventListener("close", () => byId("stream-secret-value").replaceChildren());
  }

  cells(stream) {
    const { kind, url, bucket } = stream.destination;
    return [
      nameCell(stream, visible([kind, hostOf(url) ?? bucket].filter(Boolean).join(" · "))),
      el(
        "td",
        {},
        el("span", { class: `state ${stateOf(stream)}` }, say(`manage.state.${stateOf(stream)}`)),
        stream.reason ? el("span", { class: "reason small" }, visible(stream.reason)) : null,
      ),
      el("td", {}, delay(Number(stream.behind_seconds.rawJSON ?? stream.behind_seconds))), // 0.0 keeps its digits
      el("td", {}, number(stream.refused)),
    ];
  }

  /** The acts in the row, and those in its menu. */
  acts(stream) {
    const name = visible(stream.name);
    const state = stream.state === "active" ? "pause" : "resume";
    const shown = {
      ...(isEditable(stream) ? { edit: () => this.attempt(() => this.#form.edit(this.pathOf(stream), false)) } : {}),
      test: () => this.act(stream, "test", (answer) => tested(name, answer)),
      [state]: () => this.setState(stream, state),
    };
    const hidden = {
      replay: () => this.#replay(stream),
      ...(stream.refused ? { resend: () => this.act(stream, "resend", (answer) => resent(name, answer)) } : {}),
      ...(stream.destination.kind === "http" ? { rotate: () => this.#rotate(stream) } : {}),
      delete: () => this.remove(stream, say("streams.deleteLoses")),
    };
    return [shown, hidden];
  }

  async #saved({ name, signing_secret: secret = null }, isNew) {
    this.note(say(isNew ? "manage.created" : "manage.changed", { name: visible(name) }));
    await this.load();
    return secret === null ? null : () => showSecret(secret);
  }

  async #continueFrom(stream, after) {
    await this.api.send("POST", `${this.pathOf(stream)}/replay`, { after });
    this.note(say("streams.replayed", { name: visible(stream.name) }));
    await this.load();
  }

  async #rotate(stream) {
    const name = visible(stream.name);
    if (!(await confirmed(say("streams.rotateOf", { name }), say("streams.rotateMeans"), say("manage.rotate")))) return;
    await this.act(stream, "rotate", ({ signing_secret: secret }) => {
      showSecret(secret);
      return say("streams.rotated", { name });
    });
  }
}

/** Show a secret, which is in the page until the dialog closes. */
function showSecret(secret) {
  byId("stream-secret-value").textContent = secret;
  openDialog(byId("stream-secret"));
}

function tested(name, { delivered, reason }) {
  return say(delivered ? "streams.delivered" : "streams.failed", { name, reason: visible(reason ?? "") });
}

function resent(name, { delivered, left }) {
  return say("streams.resent", { name, delivered, left });
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
