// Elements, made by their tag. Text only ever becomes text nodes, and no attribute is an address or a script: whatever an
// event holds is shown, and never run.

const ATTRIBUTES = /^(class|id|role|type|name|value|title|hidden|tabindex|aria-[a-z]+)$/;

/** An element. Functions among the properties are listeners (`onclick`), everything else attributes; false leaves out. */
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

/** The element of index.html with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Say something in passing, to eyes and screen readers. */
export function toast(text) {
  const box = byId("toast");
  box.textContent = text;
  box.classList.add("shown");
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => box.classList.remove("shown"), 2500);
}

/** Put a text on the clipboard, and say so. */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied`);
  } catch {
    toast("The browser did not let this page copy: that takes https or localhost, and its permission.");
  }
}
