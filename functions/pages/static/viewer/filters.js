// The line in which filters are typed, and its suggestions.

import { combobox } from "./combobox.js";
import { byId } from "./dom.js";
import { parts, read, words } from "./filter-line.js";
import { say } from "./language.js";
import { PRESETS } from "./ranges.js";

const PER_GROUP = 3; // suggestions of each field for an empty line
const [MOST_VALUES, MOST_PATHS] = [7, 4]; // suggestions for a word without a field

/** Set up the line. `known` is KnownValues. Returns {focus(), forget()}. */
export function filterLine(view, known) {
  const form = byId("filters");
  const input = form.elements.filter;
  const problem = byId("filters-problem");
  const close = combobox(input, suggestions, pick);

  function suggestions(text) {
    const typed = /\s$/u.test(text) ? "" : (words(text).at(-1) ?? "");
    const options = optionsFor(typed.toLowerCase());
    return { options, isFirstMeant: typed !== "" && !parts(typed) };
  }

  function optionsFor(typed) {
    const groups = known.groups().map(({ name, options }) => options.map((one) => fielded(one, name)));
    if (!typed) return groups.flatMap((options) => options.slice(0, PER_GROUP));
    const ranges = [...PRESETS.keys()].map((key) => ({
      field: "range",
      label: say(`range.${key}`),
      value: key,
      last: key,
    }));
    const { name, value } = parts(typed) ?? {};
    const sought = name === undefined ? typed : `${name}=${value}`;
    const found = [...groups.flat(), ...ranges].filter((one) => textOf(one).includes(sought));
    if (name === undefined) {
      const paths = known.paths().filter((path) => path.toLowerCase().includes(typed));
      const completed = paths.map((path) => ({ field: "path", label: path, start: `${path}=` }));
      return [...found.slice(0, MOST_VALUES), ...completed.slice(0, MOST_PATHS), { field: "words", label: typed }];
    }
    if (found.length) return found;
    const values = known
      .paths()
      .filter((path) => path.toLowerCase() === name)
      .flatMap((path) => known.valuesAt(path));
    return values.filter((one) => one.value.toLowerCase().includes(value)).map((one) => fielded(one, name));
  }

  /** Add the suggestion in place of the last word, or let the user complete it. */
  function pick(option) {
    if (option.field === "words") {
      add(input.value);
      return;
    }
    const before = /\s$/u.test(input.value) ? words(input.value) : words(input.value).slice(0, -1);
    if (option.start) {
      input.value = [...before, option.start].join(" ");
      input.dispatchEvent(new Event("input")); // suggests its values
      return;
    }
    const picked = option.last ? { filters: [], last: option.last } : { filters: [[option.parameter, option.value]] };
    add(before.join(" "), picked);
  }

  function add(text, { filters = [], last = null } = {}) {
    try {
      const typed = text || (!filters.length && !last) ? read(text, known) : { filters: [], last: null };
      const isNew = ([name, value]) => !view.filters.some((filter) => filter[0] === name && filter[1] === value);
      const range = last ?? typed.last;
      form.reset();
      refuse("");
      view.set({
        filters: [...view.filters, ...[...typed.filters, ...filters].filter(isNew)],
        ...(range && { last: range, start: null, end: null }),
      });
    } catch (error) {
      refuse(error.message);
      input.focus();
    }
  }

  function refuse(message) {
    problem.textContent = message;
    if (message) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    close();
    add(input.value);
  });
  form.addEventListener("input", () => refuse(""));
  return {
    focus: () => input.focus(),
    forget: () => {
      form.reset();
      refuse("");
    },
  };
}

function fielded(option, field) {
  return { ...option, field };
}

function textOf({ field, label, value }) {
  return `${field}=${label} ${field}=${value}`.toLowerCase();
}
