// The service's HTTP API, relative to this file, so that it is also found below a stage such as /prod.

const CLOCK_SECONDS = 2; // how old a Date may be: it is cut to the second, and servers make it once a second

const BASE = new URL("../", import.meta.url);

/** What went wrong, in the service's own words; `status` is 0 when it did not answer. */
export class ApiError extends Error {
  constructor(status, message, errors = []) {
    super(message);
    this.status = status;
    this.errors = errors;
  }
}

export class Api {
  #token = null; // here and nowhere else: no storage, no cookie, no address
  #signIn;
  #signingIn = null;
  #clockAhead = 0;

  /** `signIn(reason)` resolves to a token that the service may or may not accept. */
  constructor(signIn) {
    this.#signIn = signIn;
  }

  /** The service's time in Unix seconds, at most CLOCK_SECONDS ahead and never behind: a range up to it has all there is. */
  get now() {
    return Math.ceil(Date.now() / 1000 + this.#clockAhead) + CLOCK_SECONDS - 1;
  }

  /** Claims of the token that is in use, to show; the service alone judges them. */
  get claims() {
    try {
      const payload = this.#token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
      return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(payload), (byte) => byte.charCodeAt(0))));
    } catch {
      return {};
    }
  }

  /** Ask to sign in, unless that has happened. */
  async signedIn() {
    if (!this.#token) await this.#newToken("");
  }

  signOut() {
    this.#token = null;
  }

  /** The JSON at a path. Throws ApiError. */
  async get(path, parameters, signal) {
    return parse((await this.#authorized(`${path}?${new URLSearchParams(parameters)}`, signal)).text());
  }

  /** One part of an answer that is a chain of them: its bytes, and the address of the next or null. Throws ApiError. */
  async part(url, signal) {
    const response = await this.#authorized(url, signal);
    const link = /<([^>]*)>; rel="next"/.exec(response.headers.get("Link") ?? "");
    return { bytes: response.bytes, next: link && new URL(link[1], response.url).href };
  }

  /** Any request without a token of its own. Throws ApiError. */
  async request(path, options = {}) {
    return parse((await this.#send(path, options)).text());
  }

  /** GET with the token; asks to sign in, as often as it takes, and goes on where it stopped. */
  async #authorized(url, signal) {
    let reason = "";
    for (;;) {
      const token = this.#token ?? (await this.#newToken(reason));
      try {
        return await this.#send(url, { headers: { Authorization: `Bearer ${token}` }, signal });
      } catch (error) {
        if (error.status !== 401) throw error;
        reason = error.message;
        if (this.#token === token) this.#token = null; // several requests may have been refused at once
      }
    }
  }

  async #send(url, options) {
    let response;
    let bytes;
    try {
      // Without credentials the browser does not answer a 401 by asking for a password itself.
      response = await fetch(new URL(url, BASE), { ...options, credentials: "omit", cache: "no-store" });
      const date = Date.parse(response.headers.get("Date") ?? "");
      if (!Number.isNaN(date)) this.#clockAhead = (date - Date.now()) / 1000;
      bytes = await response.arrayBuffer();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError(0, "The service does not answer. See that it runs and can be reached, then try again.");
    }
    const text = () => new TextDecoder().decode(bytes);
    if (response.ok) return { headers: response.headers, url: response.url, bytes, text };
    const answer = parse(text());
    const message = answer?.detail ?? answer?.error_description ?? `The service answered ${response.status}.`;
    throw new ApiError(response.status, message, answer?.errors ?? []);
  }

  #newToken(reason) {
    this.#signingIn ??= this.#signIn(reason).then((token) => {
      this.#signingIn = null;
      this.#token = token;
      return token;
    });
    return this.#signingIn;
  }
}

/** JSON in which a number that JavaScript would round or rewrite keeps its own digits (as JSON.rawJSON). */
function parse(text) {
  try {
    return JSON.parse(text, (_key, value, context) =>
      typeof value === "number" && JSON.rawJSON && context.source !== String(value) ? JSON.rawJSON(context.source) : value,
    );
  } catch {
    return null; // not from the service, but from something before it
  }
}
