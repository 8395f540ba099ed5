// A question before something is lost for good. The focus begins on the way out.

import { byId } from "./dom.js";
import { openDialog } from "./dialogs.js";

/** Ask; `act` is the word on the button that does it. Resolves to whether the user wants it. */
export function confirmed(question, lost, act) {
  const dialog = byId("confirm");
  byId("confirm-title").textContent = question;
  byId("confirm-text").textContent = lost;
  byId("confirm-yes").textContent = act;
  dialog.returnValue = "";
  openDialog(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
