// The service's HTTP API, relative to this file, so that it is also found below a stage such as /prod.

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

  /** The service's time in Unix seconds. */
  get now() {
    return Math.floor(Date.now() / 1000 + this.#clockAhead);
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

  /** GET with the token; asks to sign in, as often as it takes, and goes on where it stopped. Throws ApiError. */
  async get(path, parameters, signal) {
    let reason = "";
    for (;;) {
      const token = this.#token ?? (await this.#newToken(reason));
      try {
        return await this.request(`${path}?${new URLSearchParams(parameters)}`, {
          headers: { Authorization: `Bearer ${token}` },
          signal,
        });
      } catch (error) {
        if (error.status !== 401) throw error;
        reason = error.message;
        if (this.#token === token) this.#token = null; // several requests may have been refused at once
      }
    }
  }

  /** Any request without a token of its own. Throws ApiError. */
  async request(path, options = {}) {
    let response;
    try {
      // Without credentials the browser does not answer a 401 by asking for a password itself.
      response = await fetch(new URL(path, BASE), { ...options, credentials: "omit", cache: "no-store" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError(0, "The service does not answer. See that it runs and can be reached, then try again.");
    }
    const date = Date.parse(response.headers.get("Date") ?? "");
    if (!Number.isNaN(date)) this.#clockAhead = (date - Date.now()) / 1000;
    const answer = parse(await response.text());
    if (response.ok) return answer;
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
