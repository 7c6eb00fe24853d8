// A provider of OpenID Connect that is not ours: `oidc-provider`, with three people, and clients of each
// kind. It prints its port; the first line that it is told is where browsers come back to.
//
//   node provider.mjs FOLDER-WITH-MODULES [PORT]

import { createServer } from "node:http";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { generateKeyPairSync } from "node:crypto";
import { pathToFileURL } from "node:url";

const [modules, wanted = "0"] = process.argv.slice(2);
const found = createRequire(`${modules}/node_modules/`).resolve("oidc-provider");
const { Provider } = await import(pathToFileURL(found));

const people = {
  mona: { groups: ["backend"], preferred_username: "mona" },
  lena: { groups: ["leads"], preferred_username: "lena" },
  guest: { groups: [], preferred_username: "guest" },
  // Somebody else who chose the same name.
  mallory: { groups: ["leads"], preferred_username: "Lena" },
};

const key = (type, options, use) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }),
  use,
});
const keys = [
  key("rsa", { modulusLength: 2048 }, "sig"),
  key("ec", { namedCurve: "P-256" }, "sig"),
];

const client = (client_id, more) => ({
  client_id,
  redirect_uris: [back],
  grant_types: ["authorization_code"],
  response_types: ["code"],
  ...more,
});

let back;
const server = createServer();
server.listen(Number(wanted), "127.0.0.1", () => console.log(server.address().port));
for await (const line of createInterface({ input: process.stdin })) {
  back = line.trim();
  const provider = new Provider(`http://localhost:${server.address().port}`, {
    clients: [
      client("launchway", { client_secret: "sesame:open+you%20" }),
      client("public", {
        token_endpoint_auth_method: "none",
        id_token_signed_response_alg: "ES256",
      }),
    ],
    scopes: ["openid", "profile", "email", "groups"],
    claims: {
      openid: ["sub"],
      profile: ["preferred_username"],
      email: ["email", "email_verified"],
      groups: ["groups"],
    },
    // What is asked for besides who it is stands in `userinfo` alone, as the standard has it.
    conformIdTokenClaims: true,
    enabledJWA: { idTokenSigningAlgValues: ["RS256", "ES256"] },
    jwks: { keys },
    cookies: { keys: ["of a test"] },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        email: `${id}@example.com`,
        email_verified: true,
        ...people[id],
      }),
    }),
  });
  server.removeAllListeners("request");
  server.on("request", provider.callback());
  console.log("ready");
}
