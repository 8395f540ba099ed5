// Keyboard shortcuts, active except while the user types into a field.

import { byId, el } from "./dom.js";

/** `shortcuts`: [{keys, does, run}]; the help dialog lists them. */
export function keyboard(shortcuts) {
  const help = byId("shortcuts");
  const all = [...shortcuts, { keys: ["?"], does: "Show these keys", run: () => help.showModal() }];
  const byKey = new Map(all.flatMap(({ keys, run }) => keys.map((key) => [key, run])));
  help
    .querySelector("dl")
    .replaceChildren(
      ...all.flatMap(({ keys, does }) => [
        el("dt", {}, ...keys.map((key) => el("kbd", {}, NAMES[key] ?? key))),
        el("dd", {}, does),
      ]),
    );
  byId("help").addEventListener("click", () => help.showModal());
  addEventListener("keydown", (event) => {
    const isTyping = event.target.closest?.("input, textarea, select, dialog, [popover]");
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    const run = byKey.get(event.key);
    if (!run) return;
    event.preventDefault();
    run();
  });
}

const NAMES = { Escape: "Esc" };
