// The buttons at the ends of the list, which fetch older and newer events.

import { byId, keepFocus } from "./dom.js";

/** Set up the buttons. `signal()` is that of the present list; `onAdded()` is called after events were added. */
export function listEnds({ list, results, problem, signal, onAdded }) {
  async function extend(button, fetchEvents, add) {
    if (button.ariaDisabled === "true") return; // disabling it would lose the focus
    button.ariaDisabled = "true";
    try {
      const events = await fetchEvents(signal());
      keepFocus(
        () => {
          add(events);
          onAdded();
        },
        () => results.focus(events[0]?.event_id),
      );
      problem.clear();
    } catch (error) {
      problem.show(error);
    } finally {
      button.ariaDisabled = "false";
    }
  }

  const older = (aborting) => list.loadOlder(aborting);
  const newer = (aborting) => list.loadNewer(aborting);
  byId("more").addEventListener("click", () => extend(byId("more"), older, (events) => results.append(events)));
  byId("newer").addEventListener("click", () => extend(byId("newer"), newer, (events) => results.prepend(events)));
}
