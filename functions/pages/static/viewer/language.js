// Language of the page: its texts by key, and the locale of its numbers and times. The user data in a text is not a
// part of the language: callers pass it as a value, made visible.

import { de } from "./lang-de.js";
import { en } from "./lang-en.js";
import { fr } from "./lang-fr.js";
import { preference } from "./preferences.js";

const LANGUAGES = new Map([
  ["en", en],
  ["de", de],
  ["fr", fr],
]);
const TAG = /^[a-z]{2}(?:-[a-z0-9]{2,8})*$/iu;

const system = firstKnown(navigator.languages) ?? "en";

/** Code of the first language of the browser that has texts here. */
export const systemLanguage = codeOf(system);

/** Language tag (BCP 47): `lang` in the address, else the one that the user chose here, else the browser's. */
export const locale = firstKnown([new URLSearchParams(location.search).get("lang"), chosen()]) ?? system;
const texts = LANGUAGES.get(codeOf(locale));
const rules = new Intl.PluralRules(locale);
const numbers = new Intl.NumberFormat(locale);

/** Code of the language without the region, such as `de`. */
export const language = codeOf(locale);

/** Format a number by the language. */
export function number(value) {
  return numbers.format(value);
}

/** The text with this key and these values: numbers are formatted, and `count` also chooses the plural form. */
export function say(key, values = {}) {
  return sayParts(key, values).join("");
}

/** The same in parts, for values that are elements. */
export function sayParts(key, values) {
  const text = texts[key];
  const form = typeof text === "string" ? text : (text[rules.select(values.count)] ?? text.other);
  return form.split(/\{([a-z]+)\}/u).map((part, place) => (place % 2 ? shown(values[part]) : part));
}

/** The text for an error status of the service, whose own words are English. */
export function sayStatus(status, detail) {
  const key = `problem.${status}`;
  return say(key in texts ? key : "problem.service", { detail });
}

/** Put the texts of the language into index.html, which names their keys. */
export function translatePage() {
  const root = document.documentElement;
  root.lang = locale;
  for (const [attribute, set] of [
    ["text", (element, text) => element.replaceChildren(text)],
    ["label", (element, text) => element.setAttribute("aria-label", text)],
    ["placeholder", (element, text) => element.setAttribute("placeholder", text)],
    ["title", (element, text) => element.setAttribute("title", text)],
  ]) {
    for (const element of document.querySelectorAll(`[data-${attribute}]`)) {
      set(element, say(element.dataset[attribute]));
    }
  }
  root.style.setProperty("--customer-word", `"${say("field.customer")} "`);
  root.classList.remove("untranslated");
}

/** The chosen language, in the browser's variety of it. Another page chooses for the log that it shows. */
function chosen() {
  const code = document.documentElement.dataset.embed === undefined ? preference("language") : null;
  return navigator.languages.find((tag) => codeOf(tag) === code) ?? code;
}

function firstKnown(tags) {
  return tags.find((tag) => LANGUAGES.has(codeOf(tag)));
}

function codeOf(tag) {
  return TAG.test(tag ?? "") ? tag.slice(0, 2).toLowerCase() : null;
}

function shown(value) {
  return typeof value === "number" || typeof value === "bigint" ? number(value) : value;
}
