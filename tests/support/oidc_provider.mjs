// A real OpenID provider (oidc-provider) on loopback: whoever `POST /who` names last is logged in without being asked.
// Arguments: the folder of its modules, our address to send people back to, "id token" or "userinfo" (where claims are told).
// Its issuer is the line it writes.
import http from "node:http";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [, , modules, back, told] = process.argv;
const { default: Provider } = await import(pathToFileURL(path.join(modules, "oidc-provider", "lib", "index.js")));
let who = {};

const server = http.createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const client = (id) => ({ client_id: id, client_secret: `${id}-secret`, redirect_uris: [back] });
  const provider = new Provider(issuer, {
    clients: ["mainstem", "another", "http://feedback/a b", "50%+off:now"].map(client),
    claims: { openid: ["sub", "roles", "sites", "realm_access"], profile: ["name"] },
    conformIdTokenClaims: told === "userinfo",
    features: { devInteractions: { enabled: false } },
    interactions: { url: (context, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (context, sub) => ({ accountId: sub, claims: () => ({ sub, ...who }) }),
    loadExistingGrant: async (context) => {
      const grant = new context.oidc.provider.Grant({
        clientId: context.oidc.client.clientId,
        accountId: context.oidc.session.accountId,
      });
      grant.addOIDCScope("openid profile");
      await grant.save();
      return grant;
    },
  });
  const answer = provider.callback();
  server.on("request", async (request, response) => {
    if (request.url === "/who") {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      who = JSON.parse(Buffer.concat(chunks));
      response.end();
    } else if (request.url.startsWith("/interaction/")) {
      await provider.interactionFinished(request, response, { login: { accountId: who.sub ?? "ruth" } });
    } else {
      answer(request, response);
    }
  });
  console.log(issuer);
});
