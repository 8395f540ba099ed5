// A view is a link: it can be given a name, which the link, the title of the page and a printed report show.

import { byId, copy } from "./dom.js";
import { visible } from "./format.js";
import { say } from "./language.js";

export function sharing(view) {
  const form = byId("share-form");
  const { name } = form.elements;

  function show() {
    const named = view.name ? visible(view.name) : "";
    document.title = named ? say("page.named", { name: named }) : say("page.title");
    byId("view-name").textContent = named;
    if (document.activeElement !== name) name.value = view.name ?? "";
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    view.set({ name: name.value.trim() || null });
    byId("share-menu").hidePopover();
    copy(location.href, say("copy.link"));
  });
  view.addEventListener("change", show);
  show();
}
