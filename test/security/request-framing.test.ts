import { connect } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serve, type Serving } from "../../control-plane/serve.ts";

let dir: string;
let lab: Serving;
beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-framing-"));
  lab = await serve({ dataDir: dir, listen: "127.0.0.1:0" });
});
afterAll(async () => {
  await lab.close();
  rmSync(dir, { recursive: true });
});

/** What the lab's port says to these bytes, until it ends the connection. */
function told(bytes: string): Promise<string> {
  const { hostname, port } = new URL(lab.url);
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.on("data", (some) => (text += some.toString("latin1")));
    socket.on("error", (error: NodeJS.ErrnoException) =>
      error.code === "ECONNRESET" ? resolve(text) : reject(error),
    );
    socket.on("close", () => resolve(text));
  });
}

const HEAD = "POST /api/v1/health HTTP/1.1\r\nhost: a\r\n";
/** Would be a second request for whoever reads the first one's length in another way. */
const HIDDEN = "GET /api/v1/hidden HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

test.each([
  ["two lengths", `${HEAD}content-length: 5\r\ncontent-length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`],
  [
    "a length and chunks",
    `${HEAD}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
  ],
  [
    "chunks that are not the last encoding",
    `${HEAD}transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n${HIDDEN}`,
  ],
  ["a length with a sign", `${HEAD}content-length: +0\r\n\r\n${HIDDEN}`],
  [
    "a chunk's length that is none",
    `${HEAD}transfer-encoding: chunked\r\n\r\n0x0\r\n\r\n${HIDDEN}`,
  ],
  ["a header's name with a space", `${HEAD}content-length : 0\r\n\r\n${HIDDEN}`],
  ["a line that is no header", `${HEAD}nothing\r\n\r\n${HIDDEN}`],
  ["a header without an end", `${HEAD}a: ${"b".repeat(100_000)}`],
])("a request with %s is refused, and what follows is no request", async (_what, bytes) => {
  const answers = await told(bytes);
  const statuses = [...answers.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => status);
  expect(statuses).toHaveLength(1);
  expect(statuses[0]).toMatch(/^4(00|31)$/);
  expect(answers).not.toContain("hidden");
});
