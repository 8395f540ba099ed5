// The form of a new or a changed definition: the fields of its kind, problems next to their fields, and a change of
// somebody else in between.

import { openDialog } from "./dialogs.js";
import { byId, el } from "./dom.js";
import { visible } from "./format.js";
import { say } from "./language.js";

const CUSTOMER = /^-?[0-9]{1,19}$/u;
const CONFLICT = 412;

/** A field that the page itself finds wrong, as the service names it. */
export class FieldError extends Error {
  constructor(name, message) {
    super(message);
    this.errors = [{ loc: [name], msg: message }];
  }
}

/**
 * Set up a dialog with a form, whose fields depend on the element `choice` (`data-kinds`). It closes after `submit()`,
 * unless that throws; errors name fields by the end of their `loc`. If `submit()` resolves to a function, it is called
 * then. `again()` is a way out of a conflict.
 */
export function formDialog(id, choice, submit, again = null) {
  const dialog = byId(id);
  const form = dialog.querySelector("form");
  const box = byId(`${id}-problem`);

  function showFields() {
    const { value } = form.elements[choice];
    const { mode = "" } = form.dataset;
    const keepsSecrets = mode === "edit" && !form.elements.replace_secrets?.checked;
    for (const part of form.querySelectorAll("[data-kinds], [data-mode], [data-secret]")) {
      const { kinds = value, mode: ownMode = mode, secret } = part.dataset;
      const isShown = kinds.split(" ").includes(value) && ownMode === mode && !(secret === "" && keepsSecrets);
      part.hidden = !isShown;
      for (const field of part.querySelectorAll("input, select, textarea")) field.disabled = !isShown;
    }
  }

  function clear() {
    box.replaceChildren();
    for (const note of form.querySelectorAll(".field-problem")) note.remove();
    for (const field of form.querySelectorAll("[aria-invalid]")) {
      field.removeAttribute("aria-invalid");
      field.removeAttribute("aria-describedby");
    }
  }

  /** Put each error below its field, and those without one above the form. */
  function show({ status, message, errors = [] }) {
    const others = errors.filter((error) => !mark(error)).map(({ loc, msg }) => visible(`${loc.join(".")}: ${msg}`));
    const texts = errors.length ? others : [status === CONFLICT ? say("manage.conflict") : visible(message)];
    box.replaceChildren(...texts.map((text) => el("p", {}, text)));
    if (status === CONFLICT && again) {
      box.append(el("button", { type: "button", onclick: again }, say("manage.reload")));
    }
    (form.querySelector("[aria-invalid]") ?? box.querySelector("button"))?.focus();
  }

  /** The field with a name, or the one that stands for a part of the definition (`data-part`). */
  function fieldOf(name) {
    const labels = [...form.querySelectorAll("[data-part]")];
    return form.elements.namedItem(name) ?? labels.find((one) => one.dataset.part === name && !one.hidden)?.control;
  }

  function mark({ loc, msg }) {
    const field = loc.map((name) => fieldOf(String(name))).findLast((found) => found?.checkVisibility?.());
    if (!field || field.hasAttribute("aria-invalid")) return false;
    const noteId = `${id}-${field.name}-problem`;
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", noteId);
    field.closest("label").after(el("p", { id: noteId, class: "wrong field-problem" }, visible(msg)));
    return true;
  }

  form.addEventListener("change", showFields);
  form.querySelector("button[value=close]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => form.reset()); // keep no secret in a field
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clear();
    try {
      const after = await submit(form);
      dialog.close();
      after?.();
    } catch (error) {
      show(error);
    }
  });
  return {
    form,
    clear,
    show,
    showFields,
    open: () => {
      clear();
      showFields();
      openDialog(dialog);
    },
  };
}

/**
 * Set up the dialog of a definition. `texts` begins its texts; `define(form, former)` builds the body, where
 * `former` is the thing that changes, or null; `fill(form, thing)` sets the fields; `saved(answer, isNew)` follows.
 */
export function definitionForm(api, id, { texts, path, define, fill, saved }) {
  let edited = null; // the thing as it was read, its path and its version
  const dialog = formDialog(id, "kind", submit, () => read(edited.path));
  const { form } = dialog;

  async function submit() {
    const body = define(form, edited?.thing ?? null);
    const answer = edited
      ? await api.send("PUT", edited.path, body, { "If-Match": edited.etag })
      : await api.send("POST", path, body);
    return saved(answer, !edited);
  }

  async function read(thingPath) {
    const { value: thing, etag } = await api.tagged(thingPath);
    edited = { thing, etag, path: thingPath };
    form.reset();
    byId(`${id}-title`).textContent = say("manage.editOf", { name: visible(thing.name) });
    form.elements.name.value = thing.name;
    form.elements.kind.value = thing.destination?.kind ?? thing.kind;
    form.elements.filter.value = thing.filter;
    form.elements.customers.value = (thing.customers ?? []).map((customer) => JSON.stringify(customer)).join(", ");
    fill(form, thing);
    dialog.clear();
    dialog.showFields();
    form.elements.name.focus();
  }

  function prepare(mode, isKindFree) {
    form.dataset.mode = mode;
    form.elements.kind.disabled = !isKindFree;
    // The service limits what a limited token makes to its customers.
    byId(`${id}-customers`).hidden = Boolean(api.claims.customers);
    form.querySelector("button.primary").textContent = say(mode === "new" ? "manage.create" : "manage.save");
  }

  return {
    create() {
      edited = null;
      prepare("new", true);
      byId(`${id}-title`).textContent = say(`${texts}.new`);
      dialog.open();
    },
    /** Open the newest version of a thing. Throws ApiError. */
    async edit(thingPath, isKindFree) {
      prepare("edit", isKindFree);
      await read(thingPath);
      dialog.open();
    },
    dialog,
  };
}

/** The lines of a text, without empty ones. */
export function lines(text) {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
}

/** The customers in the field of a form, null for all, with all digits where the browser can send them. */
export function customersOf(form) {
  const text = form.elements.customers.value.trim();
  if (!text) return null;
  return text.split(/[\s,]+/u).map((digits) => {
    if (!CUSTOMER.test(digits)) throw new FieldError("customers", say("manage.customersWrong"));
    return JSON.rawJSON ? JSON.rawJSON(String(BigInt(digits))) : Number(digits);
  });
}
