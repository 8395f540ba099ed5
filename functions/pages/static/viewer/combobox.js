// A text field with suggestions, after the pattern of
// https://www.w3.org/WAI/ARIA/apg/patterns/combobox/examples/combobox-autocomplete-list/

import { el } from "./dom.js";
import { number, visible } from "./format.js";

const SHOWN = 12;
let made = 0;

/** Add suggestions to `input`: `suggestions()` returns [{value, count}], best first; `onPick(value)` gets the pick. */
export function combobox(input, suggestions, onPick) {
  const list = el("ul", { id: `suggestions-${++made}`, role: "listbox", class: "suggestions", hidden: true });
  list.setAttribute("aria-label", `Suggestions for ${input.labels[0].textContent.trim()}`);
  input.after(list);
  for (const [name, value] of [
    ["role", "combobox"],
    ["aria-autocomplete", "list"],
    ["aria-expanded", "false"],
    ["aria-controls", list.id],
  ]) {
    input.setAttribute(name, value);
  }
  let active = -1;

  function open() {
    const typed = input.value.toLowerCase();
    const fitting = suggestions()
      .filter(({ value }) => value.toLowerCase().includes(typed))
      .slice(0, SHOWN);
    list.replaceChildren(
      ...fitting.map(({ value, count }, index) => {
        const option = el(
          "li",
          { id: `${list.id}-${index}`, role: "option", "aria-selected": "false" },
          el("span", {}, visible(value)),
          el("span", { class: "muted" }, number(count)),
        );
        option.addEventListener("pointerdown", (event) => {
          event.preventDefault(); // the field keeps the focus
          pick(value);
        });
        option.suggestion = value;
        return option;
      }),
    );
    activate(-1);
    list.hidden = fitting.length === 0;
    input.setAttribute("aria-expanded", String(!list.hidden));
  }

  function close() {
    list.hidden = true;
    activate(-1);
    input.setAttribute("aria-expanded", "false");
  }

  function activate(index) {
    active = index;
    for (const [place, option] of [...list.children].entries()) {
      option.setAttribute("aria-selected", String(place === index));
    }
    if (index < 0) {
      input.removeAttribute("aria-activedescendant");
    } else {
      input.setAttribute("aria-activedescendant", list.children[index].id);
      list.children[index].scrollIntoView({ block: "nearest" });
    }
  }

  function pick(value) {
    input.value = value;
    close();
    onPick(value);
  }

  function onKey(event) {
    const options = list.children.length;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) open();
      else if (options) activate((active + (event.key === "ArrowDown" ? 1 : -1 + (active < 0)) + options) % options);
    } else if (event.key === "Enter" && active >= 0) {
      event.preventDefault();
      pick(list.children[active].suggestion);
    } else if (event.key === "Escape" && !list.hidden) {
      event.stopPropagation(); // closes only the list
      close();
    }
  }

  input.addEventListener("input", open);
  input.addEventListener("focus", open);
  input.addEventListener("click", open);
  input.addEventListener("blur", close);
  input.addEventListener("keydown", onKey);
}
