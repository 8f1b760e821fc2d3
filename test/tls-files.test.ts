import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import tls from "node:tls";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeTlsRefresh, readTlsPair } from "../control-plane/tls-files.ts";
import { serve } from "../control-plane/serve.ts";
import { selfSigned } from "./support/self-signed.ts";

let dir: string;
let files: { cert: string; key: string };
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-tls-"));
  files = selfSigned(dir, "first");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** The name in the certificate that a server shows. */
async function shown(port: number): Promise<string> {
  const socket = tls.connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

describe("a certificate", () => {
  test("that is renewed is used for new connections; a half-written one is not", async () => {
    const pair = readTlsPair(files);
    const server = https.createServer(pair, (_, answer) => answer.end());
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const said: string[] = [];
    const refresh = makeTlsRefresh(server, files, pair, (...words) =>
      said.push(JSON.stringify(words)),
    );
    try {
      expect(refresh()).toBe(false);
      const next = selfSigned(dir, "second");
      copyFileSync(next.cert, files.cert);
      expect([refresh(), refresh(), await shown(port)]).toEqual([false, false, "first"]);
      copyFileSync(next.key, files.key);
      expect([refresh(), refresh(), await shown(port)]).toEqual([true, false, "second"]);
      rmSync(files.cert);
      expect([refresh(), await shown(port)]).toEqual([false, "second"]);
      expect(said).toEqual([
        expect.stringContaining("is not the key of the certificate"),
        expect.stringContaining("the renewed certificate is in use"),
        expect.stringContaining("ENOENT"),
      ]);
    } finally {
      server.close();
    }
  });

  test("that is none is refused before the lab is opened", async () => {
    writeFileSync(files.cert, "nonsense");
    const dataDir = path.join(dir, "data");
    const serving = serve({ dataDir, listen: "127.0.0.1:0", tls: files });
    await expect(serving).rejects.toThrow(`${files.cert}: expected a certificate`);
  });
});

test("a lab serves https:// by itself", async () => {
  const dataDir = path.join(dir, "data");
  const serving = await serve({ dataDir, listen: "127.0.0.1:0", tls: files });
  try {
    expect(serving.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    const [answer] = (await once(
      https.get(`${serving.url}/api/v1/health`, { ca: readTlsPair(files).cert }),
      "response",
    )) as [IncomingMessage];
    expect(answer.statusCode).toBe(200);
    answer.resume();
  } finally {
    await serving.close();
  }
});
