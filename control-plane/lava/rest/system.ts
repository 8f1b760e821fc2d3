import * as v from "valibot";
import { AppError } from "../../domain/app-error.ts";
import type { Deps } from "../../domain/deps.ts";
import { ANONYMOUS } from "../../domain/principal.ts";
import { fromOf } from "../../http/client-address.ts";
import { lavaPrincipal } from "../lava-principal.ts";
import { LAVA_VERSION } from "../lava-version.ts";
import { needs, RestRefusal, restRoutes } from "./drf.ts";
import { readFields, someText } from "./read-fields.ts";

/** Of whom nobody knows yet who they are. */
const MAX_CREDENTIALS_BYTES = 64 * 1024;
const credentials = v.object({ username: someText, password: someText });

/** `/api/v0.2/system/` and `/token/` */
export function restSystemRoutes(deps: Deps) {
  const app = restRoutes(deps);
  app.get("/system/", needs(deps, "read"), (c) => c.body(null, 200));
  app.get("/system/version/", (c) => c.json({ version: LAVA_VERSION }));
  app.get("/system/whoami/", async (c) => {
    const principal = await lavaPrincipal(deps, c);
    const isPerson = principal.kind === "user" || principal.kind === "session";
    if (!isPerson && principal.kind !== ANONYMOUS) {
      throw new AppError("forbidden", `a ${principal.kind} token is not good for this`);
    }
    return c.json({ user: isPerson ? principal.name : "" });
  });
  app.get("/system/master_config/", (c) =>
    c.json({
      EVENT_TOPIC: "org.lavasoftware",
      // ZeroMQ is not spoken here: listeners use the WebSocket.
      EVENT_SOCKET: "",
      EVENT_NOTIFICATION: deps.settings.engine === "embedded",
      LOG_SIZE_LIMIT: 50,
    }),
  );
  app.post("/token/", async (c) => {
    if (deps.settings.archive) throw new AppError("forbidden", "this lab is an archive");
    const given = await readFields(c.req.raw, credentials, MAX_CREDENTIALS_BYTES);
    const { tokenFor } = await import("../token-for.ts");
    try {
      return c.json({ token: await tokenFor(deps, given, fromOf(c)) });
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "unauthenticated") throw error;
      throw new RestRefusal(400, { non_field_errors: [error.message] });
    }
  });
  return app;
}
