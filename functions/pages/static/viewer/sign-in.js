// Obtains a token: issued to anyone in open mode, issued for a client's id and secret, or pasted.

import { byId } from "./dom.js";
import { say } from "./language.js";
import { hasSessionExpired, offerSignIn, sessionToken } from "./session.js";

/**
 * Set up the dialog. Returns a function that resolves to a token. In open mode the first one is requested without the
 * dialog; otherwise the dialog opens and shows the reason.
 */
export function signInDialog(request) {
  const dialog = byId("sign-in");
  const problem = byId("sign-in-problem");
  let resolveToken = null;
  let isFirst = document.documentElement.dataset.auth === "open";

  const issued = async () => (await request("access-token")).token;

  async function from(source) {
    problem.textContent = "";
    try {
      const token = await source();
      for (const form of dialog.querySelectorAll("form")) form.reset(); // keep no secret in a field
      dialog.close();
      byId("signed-out").hidden = true;
      resolveToken?.(token);
    } catch (error) {
      problem.textContent = error.message;
    }
  }

  function onSubmit(form, source) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      from(() => source(new FormData(form)));
    });
  }

  offerSignIn();
  dialog.addEventListener("cancel", (event) => event.preventDefault()); // without a token there is nothing to show
  byId("get-token").addEventListener("click", () => from(issued));
  onSubmit(byId("credentials"), async (fields) => {
    const body = new URLSearchParams({
      grant_type: "client_credentials",
      client_id: fields.get("client_id").trim(),
      client_secret: fields.get("client_secret").trim(),
    });
    return (await request("oauth2/token", { method: "POST", body })).token;
  });
  onSubmit(byId("paste"), (fields) => {
    const token = fields.get("token").trim();
    if (!/^[A-Za-z0-9\-._~+/]+=*$/u.test(token)) {
      throw new Error(say("signIn.malformed"));
    }
    return token;
  });

  function ask(reason) {
    problem.textContent = reason;
    if (!dialog.open) dialog.showModal();
    return new Promise((resolve) => {
      resolveToken = resolve;
    });
  }

  return async (reason) => {
    const token = await sessionToken(request);
    if (token) return token;
    if (isFirst) {
      isFirst = false;
      try {
        return await issued();
      } catch (error) {
        return ask(error.message);
      }
    }
    if (hasSessionExpired()) return ask(say("signIn.expired"));
    return ask(reason && say("signIn.rejected", { reason }));
  };
}
