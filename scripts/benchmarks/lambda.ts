import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { startCloud } from "../../test/support/aws/cloud.ts";
import type { Row } from "./main.ts";

const run = promisify(execFile);
const root = path.resolve(import.meta.dirname, "../..");
const folder = path.join(root, "dist/lambda");
const script = path.join(import.meta.dirname, "lambda-cold-start.mjs");

const TOKEN_ID = "0123456789abcdef";
const TOKEN = `pumice_${TOKEN_ID}_${"A".repeat(43)}`;
/** Fresh processes, at least. */
const PROCESSES = 11;

interface Call {
  method: string;
  path: string;
  token?: string;
  body?: object;
}

/**
 * Cold starts of the function that answers requests, each a fresh process on the emulators, and the size of its code. What AWS adds
 * before (fetching the zip, starting Node.js) is not in them; the emulators, which share this machine, are.
 */
export async function measureLambda({ runs }: { runs: number }): Promise<Row[]> {
  const cloud = await startCloud();
  try {
    const hash = createHash("sha256").update(TOKEN).digest("hex");
    const env = {
      ...cloud.env,
      PUMICE_FIRST_ADMIN: `${TOKEN_ID}:${hash}`,
      PUMICE_LOG_LEVEL: "error",
    };
    const added = await coldStart(env, {
      method: "POST",
      path: "/api/v1/workers",
      token: TOKEN,
      body: { name: "bench" },
    });
    const { token } = JSON.parse(added.body) as { token: string };
    const calls: Record<string, Call> = {
      health: { method: "GET", path: "/api/v1/health" },
      "a worker's sync": { method: "POST", path: "/api/v1/worker/sync", token, body: idleSync },
    };
    const rows: Row[] = [];
    for (const [name, call] of Object.entries(calls)) {
      const times: Times[] = [];
      for (let n = 0; n < Math.max(runs, PROCESSES); n++) times.push(await coldStart(env, call));
      rows.push(
        ms(
          `${name}: load the code`,
          times.map(({ loadMs }) => loadMs),
        ),
        ms(
          `${name}: first answer after that`,
          times.map(({ firstMs }) => firstMs),
        ),
        ms(
          `${name}: cold start, both`,
          times.map(({ loadMs, firstMs }) => loadMs + firstMs),
        ),
      );
      const { files } = await coldStart({ ...env, COUNT: "1" }, call);
      rows.push(
        kB(
          `${name}: code that is loaded`,
          files.filter((file) => file.startsWith(folder)),
        ),
      );
    }
    return [...rows, kB("all code", code()), kB("zip with templates and pages", [`${folder}.zip`])];
  } finally {
    await cloud.close();
  }
}

const idleSync = { protocol: 1, version: "bench", runners: [], wait_seconds: 0, waits: ["queue"] };

interface Times {
  loadMs: number;
  firstMs: number;
}

/** One process. Throws when its answer was no success. */
async function coldStart(
  env: Record<string, string>,
  { method, path: rawPath, token, body }: Call,
): Promise<Times & { body: string; files: string[] }> {
  const event = {
    rawPath,
    rawQueryString: "",
    headers: {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    requestContext: { domainName: "lab.example", http: { method } },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    isBase64Encoded: false,
  };
  const { stdout } = await run(process.execPath, [script], {
    env: { ...env, LAMBDA_TASK_ROOT: folder, EVENT: JSON.stringify(event) },
  });
  return JSON.parse(stdout) as Times & { body: string; files: string[] };
}

const code = (): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".mjs"))
    .map((name) => path.join(folder, name));

const ms = (name: string, values: number[]): Row => ({ name, unit: "ms", values });
const kB = (name: string, files: string[]): Row => ({
  name,
  unit: "kB",
  values: [files.reduce((sum, file) => sum + statSync(file).size, 0) / 1000],
});
