import { stream } from "hono/streaming";
import { LAB_SECTIONS, labRequestSchema } from "#protocol/lab.ts";
import type { Deps } from "../domain/deps.ts";
import { requireAdmin } from "../domain/principal.ts";
import { readJson } from "./read-body.ts";
import { routes } from "./route.ts";

/** Loaded when it is asked for: most requests are others. */
const readLab = () => import("../domain/read-lab.ts");

/** A lab is the one thing that may be large. */
const MAX_LAB_BYTES = 20 * 1024 * 1024;

/** `/api/v1/lab`: the lab as a whole. */
export function labRoutes(deps: Deps) {
  const app = routes();
  app.get("/lab", (c) => {
    requireAdmin(c.var.principal);
    c.header("content-type", "application/json");
    return stream(
      c,
      async (out) => {
        for await (const piece of labAsJson(deps)) await out.write(piece);
      },
      // What was sent so far is no JSON, so nobody takes it for the whole.
      async (error) => deps.system.log("the lab was not sent whole", { error: String(error) }),
    );
  });
  app.post("/lab/plan", async (c) => {
    const principal = requireAdmin(c.var.principal);
    const request = await readJson(c.req.raw, labRequestSchema, MAX_LAB_BYTES);
    const { planFor } = await import("../domain/apply-lab.ts");
    return c.json(await planFor(deps, principal, request));
  });
  app.post("/lab/apply", async (c) => {
    const principal = requireAdmin(c.var.principal);
    const request = await readJson(c.req.raw, labRequestSchema, MAX_LAB_BYTES);
    const { applyLab } = await import("../domain/apply-lab.ts");
    return c.json(await applyLab(deps, principal, request));
  });
  return app;
}

/** Piece by piece: it need not fit into memory. */
async function* labAsJson(deps: Deps): AsyncGenerator<string> {
  for (const [index, section] of LAB_SECTIONS.entries()) {
    yield `${index === 0 ? "{" : "},"}${JSON.stringify(section)}:{`;
    let comma = "";
    for await (const [name, value] of (await readLab()).readSection(deps, section)) {
      yield `${comma}${JSON.stringify(name)}:${JSON.stringify(value)}`;
      comma = ",";
    }
  }
  yield "}}";
}
