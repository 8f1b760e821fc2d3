import { MAX_PHOTO_BYTES, photoQuerySchema } from "#protocol/device-photos.ts";
import type { Deps } from "../domain/deps.ts";
import { requireUser } from "../domain/principal.ts";
import { parse, readBytes } from "./read-body.ts";
import { routes } from "./route.ts";

/** Loaded when it is used. */
const rules = () => import("../domain/device-photos.ts");

/** `/api/v1/devices/HOST/photos` */
export function devicePhotoRoutes(deps: Deps) {
  const app = routes();
  app.get("/devices/:hostname/photos", async (c) =>
    c.json(await (await rules()).listPhotos(deps, c.var.principal, c.req.param("hostname"))),
  );
  app.post("/devices/:hostname/photos", async (c) => {
    const principal = requireUser(c.var.principal);
    const { caption } = parse(photoQuerySchema, c.req.query(), "query");
    const bytes = await readBytes(c.req.raw, MAX_PHOTO_BYTES);
    const { addPhoto } = await rules();
    const hostname = c.req.param("hostname");
    return c.json(await addPhoto(deps, principal, hostname, { bytes, caption }), 201);
  });
  app.get("/devices/:hostname/photos/:id", async (c) => {
    const { hostname, id } = c.req.param();
    const { photo, bytes } = await (await rules()).readPhoto(deps, c.var.principal, hostname, id);
    // Somebody's file under our address: a browser may show it, and do nothing else with it.
    return c.body(new Uint8Array(bytes), 200, {
      "content-type": photo.media_type,
      "content-security-policy": "default-src 'none'; sandbox",
      "content-disposition": `inline; filename="${id.slice(0, 12)}"`,
      "cache-control": "private, max-age=3600",
    });
  });
  app.delete("/devices/:hostname/photos/:id", async (c) => {
    const { hostname, id } = c.req.param();
    await (await rules()).removePhoto(deps, c.var.principal, hostname, id);
    return c.body(null, 204);
  });
  return app;
}
