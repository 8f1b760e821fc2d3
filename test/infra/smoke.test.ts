import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startFakeCloud, type FakeCloud } from "../support/infra/fake-cloud.ts";
import { askedInfra } from "../support/infra/infra-run.ts";

const ID = "0123456789abcdef";

/** A lab and its queue, as far as the smoke test uses them: revoking the worker's token rings. */
async function startLab(answerOfQueue: { status: number; body: string } | undefined) {
  const asked: string[] = [];
  let polling: ServerResponse | undefined;
  let isRung = false;
  const ring = () => {
    if (!polling || !isRung || !answerOfQueue) return;
    polling.writeHead(answerOfQueue.status).end(answerOfQueue.body);
  };
  const server = createServer((request, response) => {
    const what = `${request.method} ${request.url?.replace(/smoke-[0-9a-f]{8}/, "smoke-X")}`;
    asked.push(what);
    const json = (body: object) => response.end(JSON.stringify(body));
    if (what === "GET /queue") {
      polling = response;
      return ring();
    }
    if (what === `DELETE /api/v1/tokens/${ID}`) {
      isRung = true;
      json({});
      return ring();
    }
    if (what === "POST /api/v1/workers") return json({ name: "w", token: `pumice_${ID}_secret` });
    if (what !== "POST /api/v1/worker/sync") return json({});
    const url = `http://${request.headers.host}/queue`;
    const wait = { kind: "queue", url, hold_seconds: 20, expires_seconds: 840, sync_seconds: 300 };
    return json(answerOfQueue ? { wait } : {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () => new Promise((resolve) => (server.close(resolve), server.closeAllConnections())),
  };
}

let cloud: FakeCloud;
let folder: string;
beforeEach(async () => {
  cloud = await startFakeCloud();
  folder = mkdtempSync(path.join(tmpdir(), "pumice-smoke-"));
  for (const [name, value] of Object.entries(cloud.env)) vi.stubEnv(name, value);
  const zip = path.join(folder, "lambda.zip");
  writeFileSync(zip, "code");
  const deployed = ["--zip", zip, "--token-file", path.join(folder, "token"), "--poll", "0.01"];
  await askedInfra(["deploy", "--yes", ...deployed]);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await cloud.close();
  rmSync(folder, { recursive: true });
});

async function smoke(answerOfQueue?: { status: number; body: string }) {
  const lab = await startLab(answerOfQueue);
  cloud.stacks.url = lab.url;
  const run = await askedInfra(["smoke", "--token-file", path.join(folder, "token")]);
  await lab.close();
  return { ...run, asked: lab.asked };
}

test("a worker is made, waits at the queue, is rung, and is removed again", async () => {
  const run = await smoke({ status: 200, body: "<R><Message>look</Message></R>" });
  expect(run.said).toMatch(/the queue took the signed URL, and rang \d+ ms after the lab did/);
  expect([run.code, run.out]).toEqual([0, "The lab works, and workers can wait at SQS.\n"]);
  expect(run.asked.toSorted()).toEqual([
    `DELETE /api/v1/tokens/${ID}`,
    "DELETE /api/v1/workers/smoke-X",
    "GET /queue",
    "POST /api/v1/worker/sync",
    "POST /api/v1/workers",
  ]);
});

test("a signed URL that SQS refuses is told with its code, and the worker is removed", async () => {
  const body = "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>";
  const run = await smoke({ status: 403, body });
  expect([run.code, run.said]).toEqual([
    1,
    expect.stringContaining("SQS refuses the signed URL: 403 SignatureDoesNotMatch"),
  ]);
  expect(run.asked).toContain("DELETE /api/v1/workers/smoke-X");
});

test("a lab that gives no queue is told of", async () => {
  const run = await smoke();
  expect([run.code, run.said]).toEqual([
    1,
    expect.stringContaining("the lab gave no queue to wait at"),
  ]);
});
