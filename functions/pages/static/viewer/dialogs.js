// Dialogs over a table whose rows are replaced meanwhile, so that the browser cannot return the focus by itself.

import { byId } from "./dom.js";

/** Open a dialog. Its end gives the focus to the element with the id of the one that has it now, or to the heading. */
export function openDialog(dialog) {
  const { id } = document.activeElement;
  const heading = document.querySelector(".managed:not([hidden]) h2");
  dialog.addEventListener(
    "close",
    () => {
      if (!document.querySelector("dialog[open]")) ((id && byId(id)) || heading)?.focus({ preventScroll: true });
    },
    { once: true },
  );
  dialog.showModal();
}
