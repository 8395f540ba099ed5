// The choice of a language, kept in this browser. The page loads again in it, since each of its parts has taken texts.

import { byId } from "./dom.js";
import { language, systemLanguage } from "./language.js";
import { keepPreference } from "./preferences.js";

const CHOSEN = "language"; // in the state of the history: the page was loaded for the choice

export function languageChoice() {
  const select = byId("language");
  select.value = language;
  if (history.state === CHOSEN) {
    history.replaceState(null, "");
    select.focus();
  }
  select.addEventListener("change", () => {
    keepPreference("language", select.value === systemLanguage ? null : select.value);
    const url = new URL(location);
    url.searchParams.delete("lang"); // which would win
    history.replaceState(CHOSEN, "", url);
    location.reload();
  });
}
