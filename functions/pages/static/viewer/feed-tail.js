// The events that were stored since a moment, read from the feed in the order of storing: none is missed, whenever it
// happened, however long the page slept, and whatever filters came in between.

const MOST = 1000; // events read at once; beyond them the list is loaded again

export class FeedTail {
  #get;
  #cursor = null;

  /** `get(path, parameters, signal)` is that of the API. */
  constructor(get) {
    this.#get = get;
  }

  get isStarted() {
    return this.#cursor !== null;
  }

  /** Begin at the present end of the feed. A list that is loaded afterwards has all events before it. */
  async start(signal) {
    const page = await this.#get("event/feed", [["after", "now"]], signal);
    this.#cursor = page.next_cursor;
  }

  stop() {
    this.#cursor = null;
  }

  /**
   * Fetch the events stored since the last read that match `parameters`. Resolves to null if they are too many, and the
   * place is lost then. If it fails or is aborted, the next read begins at the same place.
   */
  async read(parameters, signal) {
    const found = [];
    let cursor = this.#cursor;
    for (let more = true; more;) {
      const page = await this.#get("event/feed", [...parameters, ["after", cursor]], signal);
      found.push(...page.events);
      ({ next_cursor: cursor, more } = page);
      if (found.length > MOST) {
        this.stop();
        return null;
      }
    }
    this.#cursor = cursor;
    return found;
  }
}
