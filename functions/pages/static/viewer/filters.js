// The form that adds filters, its suggestions, and the chips of the active filters.

import { combobox } from "./combobox.js";
import { byId, el } from "./dom.js";
import { visible } from "./format.js";
import { parameterValue, scalars } from "./paths.js";

const LABELS = { event_type: "type", customer_id: "customer" };

export class Filters {
  #view;
  #frequent = { event_types: [], customers: [] };
  #events = [];

  constructor(view) {
    this.#view = view;
    const form = byId("filters");
    const { event_type: type, customer_id: customer, path, value } = form.elements;
    const add = (input) => (picked) => {
      input.value = "";
      view.add(input.name, picked);
    };
    combobox(
      type,
      () => this.#frequent.event_types.map((row) => ({ value: row.event_type, count: row.count })),
      add(type),
    );
    combobox(
      customer,
      () => this.#frequent.customers.map((row) => ({ value: text(row.customer_id), count: row.count })),
      add(customer),
    );
    combobox(
      path,
      () => this.#paths(),
      () => value.focus(),
    );
    combobox(
      value,
      () => this.#values(path.value.trim()),
      () => form.requestSubmit(),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(form.elements);
    });
    view.addEventListener("change", () => this.#showChips());
    this.#showChips();
  }

  /** Add a summary's frequent values to the suggestions. Earlier ones stay, because a filter hides all other values. */
  suggest(frequent) {
    const merged = (name, key) => {
      const known = new Map(this.#frequent[name].map((row) => [text(row[key]), row]));
      const found = new Map(frequent[name].map((row) => [text(row[key]), row]));
      return [...found.values(), ...[...known].filter(([value]) => !found.has(value)).map(([, row]) => row)];
    };
    this.#frequent = {
      event_types: merged("event_types", "event_type"),
      customers: merged("customers", "customer_id"),
    };
  }

  /** Suggest the paths and values of these events. */
  learn(events) {
    this.#events = events;
  }

  forget() {
    this.#frequent = { event_types: [], customers: [] };
    this.#events = [];
  }

  focus() {
    byId("filters").elements.event_type.focus();
  }

  #submit({ event_type: type, customer_id: customer, path, value }) {
    const typed = [];
    for (const input of [type, customer]) if (input.value.trim()) typed.push([input.name, input.value.trim()]);
    if (path.value.trim()) typed.push([`event_data.${path.value.trim()}`, value.value]);
    const isNew = ([name, entered]) =>
      !this.#view.filters.some((filter) => filter[0] === name && filter[1] === entered);
    for (const input of [type, customer, path, value]) input.value = "";
    if (typed.some(isNew)) this.#view.set({ filters: [...this.#view.filters, ...typed.filter(isNew)] });
  }

  #showChips() {
    const chips = this.#view.filters.map(([name, value]) => {
      const label = LABELS[name] ?? visible(name.replace(/^event_data\./u, ""));
      return el(
        "li",
        { class: "chip" },
        el("span", { class: "muted" }, `${label} `),
        el("bdi", {}, visible(value)),
        el(
          "button",
          {
            type: "button",
            "aria-label": `Remove filter ${label} ${visible(value)}`,
            onclick: () => this.#view.remove(name, value),
          },
          "×",
        ),
      );
    });
    if (chips.length > 1) {
      chips.push(
        el(
          "li",
          {},
          el("button", { type: "button", class: "quiet", onclick: () => this.#view.set({ filters: [] }) }, "Clear all"),
        ),
      );
    }
    byId("chips").replaceChildren(...chips);
  }

  #paths() {
    return counted(this.#events.flatMap((event) => scalars(event.event_data).map(({ path }) => path)));
  }

  #values(path) {
    const found = this.#events.flatMap((event) => scalars(event.event_data).filter((leaf) => leaf.path === path));
    return counted(found.map(({ value }) => parameterValue(value)));
  }
}

function counted(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].map(([value, count]) => ({ value, count })).toSorted((one, other) => other.count - one.count);
}

function text(value) {
  return JSON.isRawJSON?.(value) ? value.rawJSON : String(value);
}
