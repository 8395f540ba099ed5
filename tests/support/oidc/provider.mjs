// An OpenID provider over https: `node provider.mjs PORT CERTIFICATE KEY REDIRECT_URI`. Anyone signs in by any password;
// the roles of a person are their login names, separated by "+". Prints "ready" when it listens.

import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import Provider from "oidc-provider";

const [port, certificate, key, redirectUri] = process.argv.slice(2);
const provider = new Provider(`https://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: "audit-log-viewer",
      client_secret: "the secret/of the viewer: long",
      redirect_uris: [redirectUri],
      grant_types: ["authorization_code"],
      response_types: ["code"],
    },
  ],
  claims: { openid: ["sub", "roles"] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, roles: id.split("+") }) }),
});
createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, provider.callback()).listen(
  Number(port),
  "127.0.0.1",
  () => console.log("ready"),
);
