// Client of the HTTP API. URLs are relative to this file, so that a stage prefix such as /prod is kept.

import { say, sayStatus } from "./language.js";

const CLOCK_SECONDS = 2; // maximum age of a Date header: truncated to the second, and renewed once a second

const BASE = new URL("../", import.meta.url);

/** An error response, with the service's message. `status` is 0 if there was no response. */
export class ApiError extends Error {
  /** Seconds after which the service wants to be asked again, or null. */
  retryAfter = null;

  constructor(status, message, errors = []) {
    super(message);
    this.status = status;
    this.errors = errors;
  }
}

/** A "token" event follows each new token. */
export class Api extends EventTarget {
  #token = null; // only in memory: not in storage, a cookie or the URL
  #signIn;
  #signingIn = null;
  #clockAhead = 0;

  /** `signIn(reason)` resolves to a token, which the service may still refuse. */
  constructor(signIn) {
    super();
    this.#signIn = signIn;
  }

  /** The service's time in Unix seconds, never behind it: a range that ends now is complete. */
  get now() {
    return Math.ceil(Date.now() / 1000 + this.#clockAhead) + CLOCK_SECONDS - 1;
  }

  /** Claims of the current token, unverified, for display only. */
  get claims() {
    try {
      const payload = this.#token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
      return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(payload), (byte) => byte.codePointAt(0))));
    } catch {
      return {};
    }
  }

  /** Ask the user to sign in unless there is a token. */
  async signedIn() {
    if (!this.#token) await this.#newToken("");
  }

  signOut() {
    this.#token = null;
  }

  /** Replace the token by a new one, while requests continue with the old one. */
  async renew() {
    await this.#newToken("");
  }

  /** GET the JSON at a path. Throws ApiError. */
  async get(path, parameters, signal) {
    return parse((await this.#authorized(`${path}?${new URLSearchParams(parameters)}`, signal)).text());
  }

  /** GET the JSON at a path, from the browser's cache while its ETag is current. Throws ApiError. */
  async cached(path) {
    return parse((await this.#authorized(path, undefined, { cache: "no-cache" })).text());
  }

  /** GET the bytes at a path. Throws ApiError. */
  async bytes(path, parameters, signal) {
    const query = new URLSearchParams(parameters);
    const { bytes } = await this.#authorized(parameters.length ? `${path}?${query}` : path, signal);
    return new Uint8Array(bytes);
  }

  /** GET one part of an export: its bytes, and the URL of the next part or null. Throws ApiError. */
  async part(url, signal) {
    const response = await this.#authorized(url, signal);
    const link = /<([^>]*)>; rel="next"/u.exec(response.headers.get("Link") ?? "");
    return { bytes: response.bytes, next: link && new URL(link[1], response.url).href };
  }

  /** GET the JSON at a path, and its version for `If-Match`. Throws ApiError. */
  async tagged(path) {
    const response = await this.#authorized(path);
    return { value: parse(response.text()), etag: response.headers.get("ETag") };
  }

  /** Send JSON by a method such as POST, or nothing. Returns the JSON of the answer. Throws ApiError. */
  async send(method, path, body = null, headers = {}) {
    const json = body === null ? {} : { body: JSON.stringify(body) };
    const all = body === null ? headers : { ...headers, "Content-Type": "application/json" };
    return parse((await this.#authorized(path, undefined, { method, headers: all, ...json })).text());
  }

  /** Send a request without a token. Throws ApiError. */
  async request(path, options = {}) {
    return parse((await this.#send(path, options)).text());
  }

  /** GET with the token, or as the options of fetch say. After a 401, ask the user to sign in and send it again. */
  async #authorized(url, signal, options = {}) {
    let reason = "";
    for (;;) {
      const token = this.#token ?? (await this.#newToken(reason));
      try {
        const headers = { ...options.headers, Authorization: `Bearer ${token}` };
        return await this.#send(url, { ...options, headers, signal });
      } catch (error) {
        if (error.status !== 401) throw error;
        reason = error.message;
        if (this.#token === token) this.#token = null; // unless a concurrent request has replaced it
      }
    }
  }

  async #send(url, options) {
    let response;
    let bytes;
    try {
      // "omit" also keeps the browser from showing its own password dialog on a 401.
      response = await fetch(new URL(url, BASE), { cache: "no-store", credentials: "omit", ...options });
      const date = Date.parse(response.headers.get("Date") ?? "");
      if (!Number.isNaN(date)) this.#clockAhead = (date - Date.now()) / 1000;
      bytes = await response.arrayBuffer();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError(0, say("problem.noAnswer"));
    }
    const text = () => new TextDecoder().decode(bytes);
    if (response.ok) return { headers: response.headers, url: response.url, bytes, text };
    const answer = parse(text());
    const { status } = response;
    const detail = answer?.detail ?? answer?.error_description;
    const message = detail ? sayStatus(status, detail) : say("problem.status", { status: String(status) });
    const error = new ApiError(status, message, answer?.errors ?? []);
    error.retryAfter = Number(response.headers.get("Retry-After")) || null;
    throw error;
  }

  #newToken(reason) {
    this.#signingIn ??= this.#signIn(reason)
      .then((token) => {
        this.#token = token;
        this.dispatchEvent(new Event("token"));
        return token;
      })
      .finally(() => {
        this.#signingIn = null;
      });
    return this.#signingIn;
  }
}

/** Parse JSON. A number that JavaScript would round or reformat keeps its digits, as JSON.rawJSON. */
export function parse(text) {
  try {
    return JSON.parse(text, (_key, value, context) =>
      typeof value === "number" && JSON.rawJSON && context.source !== String(value)
        ? JSON.rawJSON(context.source)
        : value,
    );
  } catch {
    return null; // a response of a proxy, not of the service
  }
}
