// Light and dark theme: the system's preference, unless the user chose the other with the button. In another page it is
// the one that the page asks for.

import { applyColours, askedTheme } from "./colours.js";
import { byId } from "./dom.js";
import { isEmbedded } from "./host.js";
import { say } from "./language.js";
import { keepPreference, preference } from "./preferences.js";

const system = matchMedia("(prefers-color-scheme: dark)");

export function theme() {
  show();
  system.addEventListener("change", show);
  byId("theme").addEventListener("click", () => {
    const chosen = isDark() ? "light" : "dark";
    keepPreference("theme", chosen === systems() ? null : chosen);
    show();
  });
}

function systems() {
  return system.matches ? "dark" : "light";
}

function isDark() {
  const chosen = isEmbedded ? askedTheme() : preference("theme");
  return (chosen ?? systems()) === "dark";
}

function show() {
  const shown = isDark() ? "dark" : "light";
  document.documentElement.style.colorScheme = shown;
  if (isEmbedded) applyColours(shown);
  byId("theme").textContent = say(isDark() ? "theme.light" : "theme.dark");
}
