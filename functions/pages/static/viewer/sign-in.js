// Obtains a token: issued to anyone in open mode, issued for a client's id and secret, or pasted.

import { byId } from "./dom.js";

/** Set up the dialog. Returns a function that opens it, shows a reason and resolves to a token. */
export function signInDialog(request) {
  const dialog = byId("sign-in");
  const problem = byId("sign-in-problem");
  let resolveToken = null;

  async function from(source) {
    problem.textContent = "";
    try {
      const token = await source();
      for (const form of dialog.querySelectorAll("form")) form.reset(); // keep no secret in a field
      dialog.close();
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

  dialog.addEventListener("cancel", (event) => event.preventDefault()); // without a token there is nothing to show
  byId("get-token").addEventListener("click", () => from(async () => (await request("access-token")).token));
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
      throw new Error("This is not a token: paste the whole of it, without quotes.");
    }
    return token;
  });

  return (reason) => {
    byId("sign-in-why").textContent = reason ? `${reason} The view stays as it is.` : "";
    problem.textContent = "";
    if (!dialog.open) dialog.showModal();
    return new Promise((resolve) => {
      resolveToken = resolve;
    });
  };
}
