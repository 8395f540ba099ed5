// The form that adds filters, and its suggestions.

import { combobox } from "./combobox.js";
import { byId } from "./dom.js";
import { number } from "./format.js";
import { MOST_SCALARS, parameterValue, pathProblem, scalars, valueProblem } from "./paths.js";

const MOST = 2n ** 63n;

export class Filters {
  #view;
  #frequent = { event_types: [], customers: [] };
  #note = "";
  #events = [];
  #areAll = false;
  #form = byId("filters");
  #problem = byId("filters-problem");

  constructor(view) {
    this.#view = view;
    const { event_type: type, customer_id: customer, path, value } = this.#form.elements;
    const add = (input) => (picked) => {
      input.value = "";
      view.add(input.name, picked);
    };
    const lists = [
      combobox(type, () => ({ note: this.#note, options: this.#frequent.event_types }), add(type)),
      combobox(customer, () => ({ note: this.#note, options: this.#frequent.customers }), add(customer)),
      combobox(
        path,
        () => this.#counted((leaf) => leaf.path),
        () => value.focus(),
      ),
      combobox(
        value,
        () => this.#counted((leaf) => (leaf.path === path.value.trim() ? parameterValue(leaf.value) : null)),
        () => this.#form.requestSubmit(),
      ),
    ];
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      for (const close of lists) close();
      this.#submit([type, customer, path, value]);
    });
    this.#form.addEventListener("input", () => this.#refuse(null));
  }

  /**
   * Suggest a summary's frequent values. Earlier ones stay, because a filter hides all other values, but without their
   * counts, which belong to another query.
   */
  suggest({ event_types: types, customers, sample, sample_relation: relation }) {
    this.#frequent = {
      event_types: merged(
        types.map((row) => ({ value: row.event_type, count: row.count })),
        this.#frequent.event_types,
      ),
      customers: merged(
        customers.map((row) => ({ value: text(row.customer_id), count: row.count })),
        this.#frequent.customers,
      ),
    };
    this.#note =
      relation === "eq"
        ? `Counts cover all ${number(sample)} matching events`
        : `Counts cover the newest ${number(sample)} matching events; values in older events may be missing`;
  }

  /** Suggest the paths and values of these events; `areAll`: no others match. */
  learn(listed, areAll) {
    this.#events = listed;
    this.#areAll = areAll;
  }

  forget() {
    this.#frequent = { event_types: [], customers: [] };
    this.#events = [];
    this.#form.reset();
    this.#refuse(null);
  }

  focus() {
    this.#form.elements.event_type.focus();
  }

  /** Add the form's filters, or show the problem and keep the input. */
  #submit([type, customer, path, value]) {
    const wrong = problemOf(type, customer, path, value);
    this.#refuse(wrong);
    if (wrong) return;
    const typed = [];
    for (const input of [type, customer]) if (input.value.trim()) typed.push([input.name, input.value.trim()]);
    if (path.value.trim()) typed.push([`event_data.${path.value.trim()}`, value.value]);
    const isNew = ([name, entered]) =>
      !this.#view.filters.some((filter) => filter[0] === name && filter[1] === entered);
    this.#form.reset();
    if (typed.some(isNew)) this.#view.set({ filters: [...this.#view.filters, ...typed.filter(isNew)] });
  }

  #refuse(wrong) {
    for (const input of this.#form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
    this.#problem.textContent = wrong ? wrong.message : "";
    if (!wrong) return;
    wrong.input.setAttribute("aria-invalid", "true");
    wrong.input.focus();
  }

  /** Count the values that `valueOf` gives for the leaves of the listed events, null for none. */
  #counted(valueOf) {
    const leaves = this.#events.map((event) => scalars(event.event_data));
    const counts = new Map();
    for (const value of leaves.flat().map(valueOf)) if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1);
    const options = [...counts].map(([value, count]) => ({ value, count }));
    const isCut = leaves.some((found) => found.length >= MOST_SCALARS);
    const from = isCut ? `the first ${MOST_SCALARS} values of each of ` : "";
    return {
      note: this.#areAll
        ? `Counts cover ${from}all ${number(this.#events.length)} matching events`
        : `Counts cover only ${from}the ${number(this.#events.length)} listed events`,
      options: options.toSorted((one, other) => other.count - one.count),
    };
  }
}

/** Validate the form: {input, message} of the first error, or null. */
function problemOf(type, customer, path, value) {
  const [id, name] = [customer.value.trim(), path.value.trim()];
  if (![type, customer, path, value].some((input) => input.value.trim())) {
    return { input: type, message: "Enter an event type, a customer, or a path and its value." };
  }
  if (type.value.trim().length > 255) {
    return { input: type, message: "An event type has at most 255 characters." };
  }
  if (id && !isCustomer(id)) {
    return { input: customer, message: "A customer is a whole number of at most 19 digits, such as 42." };
  }
  if (!name && value.value) return { input: path, message: "Enter the path of this value." };
  if (!name) return null;
  const wrong = pathProblem(name);
  if (wrong) return { input: path, message: wrong };
  const wrongValue = valueProblem(value.value);
  return wrongValue && { input: value, message: wrongValue };
}

function isCustomer(digits) {
  return /^-?[0-9]{1,19}$/u.test(digits) && BigInt(digits) < MOST && BigInt(digits) >= -MOST;
}

function merged(found, known) {
  const values = new Set(found.map(({ value }) => value));
  return [...found, ...known.filter(({ value }) => !values.has(value)).map(({ value }) => ({ value, count: null }))];
}

function text(value) {
  return JSON.isRawJSON?.(value) ? value.rawJSON : String(value);
}
