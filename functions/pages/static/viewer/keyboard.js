// Keyboard shortcuts. Single keys can be turned off and do not act on a focused control, because speech input and stray
// typing would trigger them (https://www.w3.org/WAI/WCAG22/Understanding/character-key-shortcuts).

import { byId, el } from "./dom.js";
import { say } from "./language.js";
import { keepPreference, preference } from "./preferences.js";

const CONTROLS = "a, button, input, select, summary, textarea, [tabindex='0']";
const OTHERS = "input, select, textarea, dialog, [popover]"; // no shortcut acts inside these
const NAMES = { Escape: say("keys.esc") };

/** `shortcuts`: [{keys, does, run, inList}], also for the help dialog. Those `inList` act from its rows as well. */
export function keyboard(shortcuts) {
  const help = byId("shortcuts");
  const single = byId("single-keys");
  const all = [...shortcuts, { keys: ["?"], does: say("keys.show"), run: () => help.showModal(), inList: true }];
  const byKey = new Map(all.flatMap((shortcut) => shortcut.keys.map((key) => [key, shortcut])));
  help
    .querySelector("dl")
    .replaceChildren(
      ...all.flatMap(({ keys, does }) => [
        el("dt", {}, ...keys.map((key) => el("kbd", {}, NAMES[key] ?? key))),
        el("dd", {}, does),
      ]),
    );
  byId("help").addEventListener("click", () => help.showModal());
  single.checked = preference("single-keys") !== "off";
  single.addEventListener("change", () => keepPreference("single-keys", single.checked ? null : "off"));
  addEventListener("keydown", (event) => {
    const shortcut = byKey.get(event.key);
    if (!shortcut || event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(OTHERS)) return;
    if (event.key.length === 1 && (!single.checked || isTaken(event.target, shortcut))) return;
    event.preventDefault();
    shortcut.run();
  });
}

/** Whether the control that has the focus could use the key itself. */
function isTaken(target, { inList = false }) {
  return Boolean(target.closest?.(CONTROLS)) && !(inList && target.closest("#events"));
}
