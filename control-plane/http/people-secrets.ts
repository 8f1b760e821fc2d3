import * as v from "valibot";
import { linkAccountSchema, putPasswordSchema, putSecretSchema } from "#protocol/sign-in.ts";
import type { Deps } from "../domain/deps.ts";
import { requireUser } from "../domain/principal.ts";
import { clientAddress } from "./client-address.ts";
import { readJson } from "./read-body.ts";
import { routes } from "./route.ts";
import { ownUrl } from "./session.ts";

/** Loaded when it is asked for: most requests are others. */
const accounts = () => import("../domain/accounts.ts");
const credentials = () => import("../domain/credentials.ts");
const secrets = () => import("../domain/secrets.ts");
const sessions = () => import("../domain/sessions.ts");
const signInSecrets = () => import("../domain/sign-in-secrets.ts");

/** Page on which a password is chosen by a link's `?code=`. */
export const PASSWORD_PATH = "/password";

const signOutSchema = v.strictObject({ tokens: v.optional(v.boolean(), false) });

/** `/api/v1/users/NAME/password` and its links, `/users/NAME/accounts`, `/secrets`, `/sign-in-secrets` */
export function peopleSecretRoutes(deps: Deps) {
  const app = routes();
  app.put("/users/:name/password", async (c) => {
    const principal = requireUser(c.var.principal);
    const request = await readJson(c.req.raw, putPasswordSchema);
    await (
      await credentials()
    ).setPassword(deps, principal, c.req.param("name"), request, clientAddress(c));
    return c.body(null, 204);
  });
  app.post("/users/:name/password-links", async (c) => {
    const { code, expires } = await (
      await credentials()
    ).makePasswordLink(deps, c.var.principal, c.req.param("name"));
    return c.json({ url: ownUrl(c, `${PASSWORD_PATH}?code=${code}`).href, expires }, 201);
  });
  app.post("/users/:name/sign-out", async (c) => {
    const principal = requireUser(c.var.principal);
    const request = await readJson(c.req.raw, signOutSchema);
    return c.json(
      await (await sessions()).signOutEverywhere(deps, principal, c.req.param("name"), request),
    );
  });
  app.get("/users/:name/accounts", async (c) =>
    c.json(await (await accounts()).listAccounts(deps, c.var.principal, c.req.param("name"))),
  );
  app.post("/users/:name/accounts", async (c) => {
    const principal = requireUser(c.var.principal);
    const request = await readJson(c.req.raw, linkAccountSchema);
    await (await accounts()).linkAccount(deps, principal, c.req.param("name"), request);
    return c.body(null, 204);
  });
  app.delete("/users/:name/accounts/:id", async (c) => {
    const { name, id } = c.req.param();
    await (await accounts()).unlinkAccount(deps, c.var.principal, name, id);
    return c.body(null, 204);
  });
  app.get("/secrets", async (c) =>
    c.json(await (await secrets()).listSecrets(deps, c.var.principal)),
  );
  app.put("/secrets/:name", async (c) => {
    const principal = requireUser(c.var.principal);
    const request = await readJson(c.req.raw, putSecretSchema);
    return c.json(await (await secrets()).putSecret(deps, principal, c.req.param("name"), request));
  });
  app.delete("/secrets/:name", async (c) => {
    await (await secrets()).removeSecret(deps, c.var.principal, c.req.param("name"));
    return c.body(null, 204);
  });
  app.put("/sign-in-secrets/:name", async (c) => {
    const principal = requireUser(c.var.principal);
    const request = await readJson(c.req.raw, putSecretSchema);
    await (await signInSecrets()).putSignInSecret(deps, principal, c.req.param("name"), request);
    return c.body(null, 204);
  });
  app.delete("/sign-in-secrets/:name", async (c) => {
    await (await signInSecrets()).removeSignInSecret(deps, c.var.principal, c.req.param("name"));
    return c.body(null, 204);
  });
  return app;
}
