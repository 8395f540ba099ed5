// The open event: fetched unless it is listed, shown in the detail panel and marked in the list.

import { hideDetail, showDetail, showNoDetail } from "./detail.js";
import { showPlace } from "./event-place.js";

export class OpenEvent {
  #view;
  #results;
  #get;
  #id = null; // of the event whose detail is shown
  #event = null; // that event, once fetched

  /** `get(event_id)` fetches an event. */
  constructor(view, results, get) {
    this.#view = view;
    this.#results = results;
    this.#get = get;
  }

  /** Show the detail of the view's event, or close the panel if it has none. `list` is that of place(). */
  async show(list) {
    const id = this.#view.event;
    this.#results.mark(id);
    if (id === this.#id) return; // keep the branches that the user opened
    this.forget();
    this.#id = id;
    if (!id) return;
    try {
      const event = this.#results.find(id) ?? (await this.#get(id));
      if (this.#view.event !== id) return;
      this.#event = event;
      showDetail(event, { onFilter: (name, value) => this.#view.add(name, value), onClose: () => this.close() });
      this.place(list());
    } catch (error) {
      if (this.#view.event === id) showNoDetail(error.message, () => this.close());
    }
  }

  /** Explain why the event is not in the list, if so. `list`: {range, areAll} as showPlace() takes them. */
  place(list) {
    this.#results.mark(this.#view.event);
    showPlace(this.#event, this.#results.events, { view: this.#view, ...list });
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
    hideDetail();
  }
}
