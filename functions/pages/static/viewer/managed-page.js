// A page of things that people manage, streams or alert rules: the table, the acts on a row, and their results. For
// tokens with the scope streams:manage; the service checks it with each request.

import { confirmed } from "./confirm.js";
import { byId, el } from "./dom.js";
import { visible } from "./format.js";
import { say } from "./language.js";

const SCOPE = "streams:manage";
const REFRESH_MILLISECONDS = 5000;

export class ManagedPage {
  #kind;
  #onSignedIn;
  #isShown = false;
  #listed = ""; // JSON of the things in the table

  /**
   * `kind`: the `name` of the page, which the ids of its elements begin with; the `path` of the things in the API, the
   * `member` with their list, and the one with their `id`; the titles of the `columns` between name and acts; the texts
   * if there are `none`, and the `advice` then. The subclass makes the cells by cells(thing), and two objects of acts
   * by acts(thing): those in the row and those in its menu. `onSignedIn()` shows who is signed in.
   */
  constructor(api, onSignedIn, kind) {
    this.api = api;
    this.#kind = kind;
    this.#onSignedIn = onSignedIn;
    setInterval(() => this.#refresh(), REFRESH_MILLISECONDS);
  }

  /** Show the link to this page if the token has the scope. */
  showLink() {
    this.#part("link").hidden = !(this.api.claims.scope ?? "").split(" ").includes(SCOPE);
  }

  /** Show this page if it is the wanted one, and hide it otherwise. Resolves to whether it is. */
  async shown(page) {
    const wasShown = this.#isShown;
    this.#isShown = page === this.#kind.name;
    byId(this.#kind.name).hidden = !this.#isShown;
    this.#part("link").ariaCurrent = this.#isShown ? "page" : null;
    if (!this.#isShown) return false;
    if (!wasShown) this.#part("title").focus({ preventScroll: true });
    await this.api.signedIn();
    this.#onSignedIn();
    await this.load();
    return true;
  }

  /** Remove what the client that signs out has seen. */
  forget() {
    this.#listed = "";
    for (const name of ["list", "problem", "note"]) this.#part(name).replaceChildren();
    this.#part("link").hidden = true;
  }

  async load() {
    try {
      const answer = await this.api.get(this.#kind.path, []);
      this.#report(null);
      this.#list(answer[this.#kind.member]);
    } catch (error) {
      this.#report(error);
    }
  }

  /** Path of a thing in the API. */
  pathOf(thing) {
    return `${this.#kind.path}/${thing[this.#kind.id]}`;
  }

  /** Send an act with its body, if it has one, and show the sentence that `done(answer)` returns. */
  async act(thing, act, done, body = null) {
    await this.attempt(async () => this.note(done(await this.api.send("POST", `${this.pathOf(thing)}/${act}`, body))));
  }

  /** Do something, report its failure, and list the things again. */
  async attempt(work) {
    try {
      await work();
      await this.load();
    } catch (error) {
      this.#report(error);
    }
  }

  /** Pause or resume. */
  async setState(thing, act) {
    const name = visible(thing.name);
    await this.act(thing, act, ({ state }) => say("manage.done", { name, state: say(`manage.state.${state}`) }));
  }

  /** Delete a thing once the user has confirmed `lost`, a sentence about the loss. */
  async remove(thing, lost) {
    const name = visible(thing.name);
    if (!(await confirmed(say("manage.deleteOf", { name }), lost, say("manage.delete")))) return;
    await this.attempt(async () => {
      await this.api.send("DELETE", this.pathOf(thing));
      this.note(say("manage.deleted", { name }));
    });
  }

  /** Show a result, to screen readers as well. */
  note(text) {
    this.#part("note").textContent = text;
  }

  async #refresh() {
    if (!this.#isShown || document.hidden || document.querySelector("dialog[open], :popover-open")) return;
    await this.load();
  }

  #list(things) {
    const listed = JSON.stringify(things);
    if (listed === this.#listed) return;
    this.#listed = listed;
    const focused = document.activeElement?.id;
    this.#part("list").replaceChildren(things.length ? this.#table(things) : this.#emptiness());
    if (focused) (byId(focused) ?? this.#part("title")).focus({ preventScroll: true });
  }

  #emptiness() {
    const { none, advice } = this.#kind;
    return el("div", { class: "empty" }, el("h3", {}, none), el("p", { class: "muted" }, advice));
  }

  /** Make the table, with roles: for screen readers, cells that CSS arranges as blocks on a phone are no table. */
  #table(things) {
    const titles = ["manage.name", ...this.#kind.columns, "manage.acts"].map((key) => say(key));
    const heads = titles.map((title) => el("th", { role: "columnheader", scope: "col" }, title));
    const rows = things.map((thing) => el("tr", { role: "row" }, ...this.#cells(thing, titles)));
    return el(
      "table",
      { class: "managed-table", role: "table" },
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...heads)),
      el("tbody", { role: "rowgroup" }, ...rows),
    );
  }

  #cells(thing, titles) {
    const [name, ...others] = this.cells(thing);
    for (const [place, cell] of others.entries()) {
      cell.role = "cell";
      cell.prepend(el("span", { class: "cell-title muted", "aria-hidden": "true" }, titles[place + 1]));
    }
    return [name, ...others, this.#actsCell(thing)];
  }

  #actsCell(thing) {
    const [shown, hidden] = this.acts(thing).map((acts) => Object.entries(acts));
    const buttons = shown.map(([act, onclick]) => this.#button(thing, act, onclick));
    return el("td", { class: "acts", role: "cell" }, ...buttons, ...(hidden.length ? this.#menu(thing, hidden) : []));
  }

  #button(thing, act, onclick) {
    const label = say(`manage.${act}`);
    const name = say("manage.actOf", { act: label, name: visible(thing.name) });
    // Pause and Resume are one control, which keeps the focus.
    const id = `${act === "resume" ? "pause" : act}-${thing[this.#kind.id]}`;
    return el("button", { type: "button", id, "aria-label": name, onclick }, label);
  }

  /** Make a button, and the menu of further acts that it opens. */
  #menu(thing, acts) {
    const more = this.#button(thing, "more", () => null);
    const menu = el("div", { class: "menu", role: "group", "aria-label": more.getAttribute("aria-label") });
    menu.popover = "auto";
    more.popoverTargetElement = menu;
    const run = (work) => () => {
      menu.hidePopover(); // gives the focus back to the button, which a dialog returns it to
      work();
    };
    menu.append(...acts.map(([act, work]) => this.#button(thing, act, run(work))));
    return [more, menu];
  }

  #report(error) {
    const text = error?.status === 403 ? say("manage.scope") : visible(error?.message ?? "");
    const box = this.#part("problem");
    if (box.textContent !== text) box.textContent = text;
  }

  #part(name) {
    return byId(`${this.#kind.name}-${name}`);
  }
}

/** The head of a row: the name of a thing, with some words about it. */
export function nameCell(thing, words) {
  return el(
    "th",
    { scope: "row", role: "rowheader" },
    el("bdi", {}, visible(thing.name)),
    el("span", { class: "muted small" }, words),
  );
}
