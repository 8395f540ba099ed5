// An OpenID provider over https: `node provider.mjs PORT CERTIFICATE KEY PAGE LOGOUT`, where LOGOUT is on or off. Anyone
// signs in by any password; the roles of a person are their login names, separated by "+". Prints "ready" when it
// listens.

import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import Provider from "oidc-provider";

const [port, certificate, key, page, logout] = process.argv.slice(2);
const provider = new Provider(`https://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: "audit-log-viewer",
      client_secret: "the secret/of the viewer: long",
      redirect_uris: [`${page}/session/callback`],
      post_logout_redirect_uris: [`${page}/`],
      grant_types: ["authorization_code"],
      response_types: ["code"],
    },
  ],
  claims: { openid: ["sub", "roles"] },
  conformIdTokenClaims: false,
  features: { rpInitiatedLogout: { enabled: logout === "on" } },
  pkce: { required: () => true },
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, roles: id.split("+") }) }),
});
createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, provider.callback()).listen(
  Number(port),
  "127.0.0.1",
  () => console.log("ready"),
);
