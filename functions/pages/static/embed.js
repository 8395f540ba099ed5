// The custom element <audit-log-viewer>, for pages of other origins: an iframe with the log viewer, which gets its
// tokens from the page's own backend. The iframe keeps the scripts of both sides apart.

const BASE = new URL("./", import.meta.url);
const PASSED = ["columns", "theme", "accent", "background"];
const TITLES = { de: "Audit-Log", fr: "Journal d’audit" };
const MIN_HEIGHT = 320;
const MAX_HEIGHT = 100_000;

class AuditLogViewer extends HTMLElement {
  static observedAttributes = [...PASSED, "lang", "token-url"];

  #root = this.attachShadow({ mode: "open" });
  #frame = null;
  #isPending = false;
  #onMessage = (event) => this.#receive(event);

  connectedCallback() {
    addEventListener("message", this.#onMessage);
    this.#renew();
  }

  disconnectedCallback() {
    removeEventListener("message", this.#onMessage);
    this.#root.replaceChildren();
    this.#frame = null;
  }

  attributeChangedCallback() {
    if (this.#frame) this.#renew();
  }

  /** Show the log with the present attributes, once for several changes. */
  #renew() {
    if (this.#isPending) return;
    this.#isPending = true;
    queueMicrotask(() => {
      this.#isPending = false;
      if (this.isConnected) this.#show();
    });
  }

  #show() {
    const lang = this.closest("[lang]")?.lang ?? "";
    const address = new URL("embed", BASE);
    address.searchParams.set("origin", location.origin);
    if (lang) address.searchParams.set("lang", lang);
    for (const name of PASSED) {
      if (this.hasAttribute(name)) address.searchParams.set(name, this.getAttribute(name));
    }
    const frame = document.createElement("iframe");
    frame.title = TITLES[lang.slice(0, 2).toLowerCase()] ?? "Audit log";
    frame.allow = "clipboard-write";
    frame.referrerPolicy = "no-referrer";
    Object.assign(frame.style, { display: "block", width: "100%", border: "0", height: `${MIN_HEIGHT}px` });
    // Dialogs and messages of the log are in the middle of the frame, so it fits into the window.
    frame.style.maxHeight = "var(--audit-log-max-height, 90vh)";
    frame.src = address.href;
    this.style.display = "block";
    this.#root.replaceChildren(frame);
    this.#frame = frame;
  }

  /** Answer the frame, and no other window. */
  #receive({ source, origin, data }) {
    if (origin !== BASE.origin || !source || source !== this.#frame?.contentWindow) return;
    if (data?.type === "audit-log:token") this.#answer(source);
    if (data?.type === "audit-log:height" && Number.isFinite(data.height)) {
      this.#frame.style.height = `${Math.min(MAX_HEIGHT, Math.max(MIN_HEIGHT, data.height))}px`;
    }
  }

  async #answer(source) {
    const token = await this.#token();
    source.postMessage({ type: "audit-log:token", token }, BASE.origin);
  }

  /** Fetch a token from the backend of this page. Resolves to null if it gives none. */
  async #token() {
    try {
      const url = new URL(this.getAttribute("token-url"), document.baseURI);
      // Never from another origin, nor by a redirect to one.
      const answer = await fetch(url, {
        mode: "same-origin",
        cache: "no-store",
        headers: { Accept: "application/json" },
      });
      const { access_token: token } = answer.ok ? await answer.json() : {};
      return typeof token === "string" ? token : null;
    } catch {
      return null;
    }
  }
}

customElements.define("audit-log-viewer", AuditLogViewer);
