// The open event: fetched unless it is listed, shown in the detail panel and marked in the list.

import { hideDetail, showDetail, showNoDetail } from "./detail.js";
import { showPlace } from "./event-place.js";
import { proofSection } from "./proof.js";

export class OpenEvent {
  #view;
  #results;
  #service;
  #ledger;
  #checking = new AbortController(); // of the proof that is shown
  #id = null; // of the event whose detail is shown
  #event = null; // that event, once fetched
  #fetching = { id: null, event: null };

  /** `service` has event(id), which fetches an event, and count(path), a summary by a path; `ledger` checks proofs. */
  constructor(view, results, service, ledger) {
    this.#view = view;
    this.#results = results;
    this.#service = service;
    this.#ledger = ledger;
  }

  /** Fetch the view's event unless it was. Resolves to null if the view has none or there is none. */
  async wanted() {
    try {
      return this.#view.event && (await this.#fetched(this.#view.event));
    } catch {
      return null; // show() reports it
    }
  }

  /** Show the detail of the view's event, or close the panel if it has none. `range` is that of the list. */
  async show(range) {
    const id = this.#view.event;
    this.#results.mark(id);
    if (id === this.#id) return; // keep the branches that the user opened
    this.forget();
    this.#id = id;
    if (!id) return;
    try {
      const event = this.#results.find(id) ?? (await this.#fetched(id));
      if (this.#view.event !== id) return;
      this.#event = event;
      this.#checking = new AbortController();
      const proof = proofSection(event, this.#ledger, this.#checking.signal);
      const { count } = this.#service;
      showDetail(event, { view: this.#view, proof, count, onClose: () => this.close() });
      this.place(range());
    } catch (error) {
      if (this.#view.event === id) showNoDetail(error.message, () => this.close());
    }
  }

  /** Mark the event's row and show it, or explain why there is none. `range` is that of the list. */
  place(range) {
    this.#results.mark(this.#view.event);
    this.#results.reveal(this.#view.event);
    showPlace(this.#event, this.#results.events, { view: this.#view, range });
  }

  /** Show the event again, in another time zone. */
  refresh(range) {
    this.#id = null;
    this.#checking.abort();
    return this.show(range);
  }

  close() {
    const id = this.#view.event;
    if (!id) return;
    this.#view.set({ event: null });
    this.#results.focus(id);
  }

  forget() {
    this.#id = null;
    this.#event = null;
    this.#checking.abort();
    hideDetail();
  }

  #fetched(id) {
    if (this.#fetching.id !== id) {
      const event = this.#service.event(id);
      event.catch(() => {
        if (this.#fetching.event === event) this.#fetching = { id: null, event: null };
      });
      this.#fetching = { id, event };
    }
    return this.#fetching.event;
  }
}
