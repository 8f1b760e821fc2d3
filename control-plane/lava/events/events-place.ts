import { Hono } from "hono";
import type { Deps } from "../../domain/deps.ts";
import type { Env } from "../../http/route.ts";

/**
 * `/ws/` for whoever comes without a WebSocket, and where the event stream has an address of its own: LAVA's clients look for it at
 * the lab's, and go where they are sent.
 */
export function eventsPlace({ settings }: Deps): Hono<Env> {
  const app = new Hono<Env>();
  app.on("GET", ["/ws", "/ws/"], (c) => {
    if (settings.eventsUrl === undefined) {
      const message = "this is a WebSocket, LAVA's event stream";
      return c.json({ code: "invalid", message }, 426, { upgrade: "websocket" });
    }
    return c.redirect(settings.eventsUrl + new URL(c.req.url).search, 307);
  });
  return app;
}
