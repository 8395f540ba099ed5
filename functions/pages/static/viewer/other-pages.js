// The pages besides that of the events, each with a link at the top.

import { RulesPage } from "./rules.js";
import { StreamsPage } from "./streams.js";

/** Set up the pages. `onSignedIn()` shows who is signed in. */
export function otherPages(api, onSignedIn) {
  const pages = [new StreamsPage(api, onSignedIn), new RulesPage(api, onSignedIn)];
  return {
    showLinks() {
      for (const page of pages) page.showLink();
    },
    forget() {
      for (const page of pages) page.forget();
    },
    /** Show the page with this name, if it is one of these, and hide the others. Resolves to whether it is. */
    async shown(name) {
      document.body.classList.toggle("on-page", name !== "events");
      const areShown = await Promise.all(pages.map((page) => page.shown(name)));
      return areShown.some(Boolean);
    },
  };
}
