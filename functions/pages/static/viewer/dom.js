// Creation of elements. Text only becomes text nodes, and no attribute takes a URL or a script: the content of an event
// is displayed and never executed.

import { say } from "./language.js";

const ATTRIBUTES = /^(class|id|role|scope|type|name|value|title|hidden|tabindex|aria-[a-z]+)$/u;

/** Create an element. Functions in `properties` become listeners (`onclick`), other values attributes, false none. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") {
      element.addEventListener(name.slice(2), value);
    } else if (!ATTRIBUTES.test(name)) {
      throw new TypeError(`${name} is not an attribute that this page sets`);
    } else if (value !== false && value !== undefined) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Find the element of index.html with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Show a short message for 2.5 s, announced by screen readers. */
export function toast(text) {
  const box = byId("toast");
  box.textContent = text;
  box.classList.add("shown");
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => box.classList.remove("shown"), 2500);
}

/** Copy a text to the clipboard and confirm it. */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(say("copy.done", { what }));
  } catch {
    toast(say("copy.refused"));
  }
}

/** Call `change()`. If it removes or hides the focused element, focus `fallback()`. */
export function keepFocus(change, fallback) {
  const focused = document.activeElement;
  change();
  if (focused !== document.body && !focused?.checkVisibility()) fallback()?.focus({ preventScroll: true });
}
