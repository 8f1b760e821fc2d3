import { createAdaptorServer } from "@hono/node-server";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Settings } from "../../control-plane/domain/deps.ts";
import { embeddedLab, type EmbeddedLab } from "./embedded-lab.ts";

/** An embedded lab that also answers on a port of loopback. Close it after the test. */
export async function listeningLab(
  settings: Partial<Settings> = {},
  engine?: "embedded" | "aws",
): Promise<EmbeddedLab & { readonly url: string }> {
  const lab = await embeddedLab(settings, engine);
  const server = createAdaptorServer({ fetch: lab.app.fetch }) as Server;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    ...lab,
    url: `http://127.0.0.1:${port}`,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
      await lab.close();
    },
  };
}
