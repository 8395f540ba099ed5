// A text field with suggestions, after the pattern of
// https://www.w3.org/WAI/ARIA/apg/patterns/combobox/examples/combobox-autocomplete-list/

import { el } from "./dom.js";
import { visible, wordName } from "./format.js";
import { say } from "./language.js";

const SHOWN = 12;
let made = 0;

/**
 * Add suggestions to `input`, which is inside its label. `suggestions(text)` returns {options, isFirstMeant}: options
 * are {field, label} and whatever else `onPick(option)` needs, best first; Enter picks the first one if it is meant.
 * Returns a function that closes the list.
 */
export function combobox(input, suggestions, onPick) {
  const { id, list, popup } = surround(input);
  let active = -1;

  function open() {
    const { options, isFirstMeant } = suggestions(input.value);
    const fitting = options.slice(0, SHOWN);
    list.replaceChildren(
      ...fitting.map((suggestion, index) => {
        const option = el(
          "li",
          { id: `${id}-${index}`, role: "option", "aria-selected": "false", onclick: () => pick(suggestion) },
          el("span", { class: "muted" }, `${wordName(suggestion.field)} `),
          el("bdi", {}, visible(suggestion.label)),
        );
        option.suggestion = suggestion;
        return option;
      }),
    );
    activate(isFirstMeant && fitting.length ? 0 : -1);
    popup.hidden = fitting.length === 0;
    input.setAttribute("aria-expanded", String(!popup.hidden));
  }

  function close() {
    popup.hidden = true;
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

  function pick(suggestion) {
    close();
    onPick(suggestion);
  }

  function onKey(event) {
    const options = list.children.length;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (popup.hidden) open();
      else if (options) activate((active + (event.key === "ArrowDown" ? 1 : -1 + (active < 0)) + options) % options);
    } else if (event.key === "Enter" && active >= 0) {
      event.preventDefault();
      pick(list.children[active].suggestion);
    } else if (event.key === "Escape" && !popup.hidden) {
      event.stopPropagation(); // closes only the list
      close();
    }
  }

  popup.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps the focus
  input.addEventListener("input", open);
  input.addEventListener("focus", open);
  input.addEventListener("click", open);
  input.addEventListener("blur", close);
  input.addEventListener("keydown", onKey);
  return close;
}

/** Put a list of suggestions below the field. */
function surround(input) {
  const id = `suggestions-${++made}`;
  const label = input.labels[0];
  const list = el("ul", {
    id,
    role: "listbox",
    "aria-label": say("filter.suggestions", { field: label.textContent.trim() }),
  });
  // Without a tabindex, browsers make a scrolling box a tab stop.
  const popup = el("div", { class: "suggestions", tabindex: "-1", hidden: true }, list);
  const box = el("div", { class: "combobox" });
  label.replaceWith(box);
  box.append(label, popup);
  for (const [name, value] of [
    ["role", "combobox"],
    ["aria-autocomplete", "list"],
    ["aria-expanded", "false"],
    ["aria-controls", list.id],
  ]) {
    input.setAttribute(name, value);
  }
  return { id, list, popup };
}
