import { addTokenSchema, rotateTokenSchema } from "#protocol/tokens.ts";
import type { Deps } from "../domain/deps.ts";
import { requireUser } from "../domain/principal.ts";
import { listTokens, revokeToken } from "../domain/tokens.ts";
import { readJson } from "./read-body.ts";
import { routes } from "./route.ts";
import { ownUrl, SIGN_IN_PATH } from "./session.ts";

/** Loaded when it is asked for: most requests are others. */
const makers = () => import("../domain/make-token.ts");
const signIn = () => import("../domain/sign-in.ts");

/** `/api/v1/tokens` and `/api/v1/sign-in-links` */
export function tokenRoutes(deps: Deps) {
  const app = routes();
  app.get("/tokens", async (c) => c.json(await listTokens(deps, c.var.principal)));
  app.post("/tokens", async (c) => {
    const principal = requireUser(c.var.principal);
    const request = await readJson(c.req.raw, addTokenSchema);
    return c.json(await (await makers()).addToken(deps, principal, request), 201);
  });
  app.delete("/tokens/:id", async (c) => {
    await revokeToken(deps, c.var.principal, c.req.param("id"));
    return c.body(null, 204);
  });
  app.post("/tokens/:id/rotate", async (c) => {
    const principal = requireUser(c.var.principal);
    const { overlap_seconds } = await readJson(c.req.raw, rotateTokenSchema);
    return c.json(
      await (await makers()).rotateToken(deps, principal, c.req.param("id"), overlap_seconds),
      201,
    );
  });
  app.post("/sign-in-links", async (c) => {
    const { code, expires } = await (await signIn()).makeSignInLink(deps, c.var.principal);
    const url = ownUrl(c, `${SIGN_IN_PATH}?code=${code}`).href;
    return c.json({ url, expires }, 201);
  });
  return app;
}
