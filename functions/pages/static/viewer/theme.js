// Light and dark theme: the system's preference, unless the user chose the other with the button.

import { byId } from "./dom.js";
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
  return (preference("theme") ?? systems()) === "dark";
}

function show() {
  document.documentElement.style.colorScheme = isDark() ? "dark" : "light";
  byId("theme").textContent = say(isDark() ? "theme.light" : "theme.dark");
}
