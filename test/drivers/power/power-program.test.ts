import { execFile } from "node:child_process";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { workerProgram } from "../../support/worker-program.ts";

const root = path.resolve(import.meta.dirname, "../../..");
const runtimes: [string, string][] = [
  ["Node.js 20", path.join(root, "node_modules/node20-linux-x64/bin/node")],
  ["Node.js 24", process.execPath],
  ["Bun", path.join(root, "node_modules/@oven/bun-linux-x64/bin/bun")],
];

let program: Awaited<ReturnType<typeof workerProgram>>;
let plug: Server;
let address: string;
let state = "OFF";
beforeAll(async () => {
  program = await workerProgram();
  plug = createServer((request, response) => {
    const words = new URL(request.url ?? "", "http://plug").searchParams.get("cmnd") ?? "";
    state = / (On|Off)$/.exec(words)?.[1]?.toUpperCase() ?? state;
    response.end(JSON.stringify({ POWER: state }));
  });
  await new Promise<void>((resolve) => void plug.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(plug.address() as AddressInfo).port}`;
});
afterAll(() => {
  plug.close();
  program.remove();
});

const run = (runtime: string, ...args: string[]) =>
  new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    execFile(runtime, [program.file, "power", ...args], (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });

describe.each(runtimes)("pumice-worker power under %s", (_, runtime) => {
  test("switches an outlet and says how it is", async () => {
    expect(await run(runtime, "tasmota", address, "1", "on")).toMatchObject({ code: 0 });
    expect((await run(runtime, "tasmota", address, "1", "status")).stdout).toMatch(/\non\n$/);
    await run(runtime, "tasmota", address, "1", "off");
    expect((await run(runtime, "tasmota", address, "1", "status")).stdout).toMatch(/\noff\n$/);
  });
});

test("without words it lists the drivers; with wrong ones it says which", async () => {
  const list = await run(process.execPath);
  expect(list).toMatchObject({ code: 0, stderr: "" });
  expect(list.stdout).toContain("tasmota http://HOST RELAY");
  const wrong = await run(process.execPath, "tasmota", "10.0.0.5", "1", "on");
  expect(wrong).toMatchObject({ code: 2, stdout: "" });
  expect(wrong.stderr).toMatch(/expected tasmota http:\/\/HOST RELAY .*not the address "10.0.0.5"/);
});

test("a switch that is not there is exit code 1 and one line", async () => {
  const closed = "http://user:secret@127.0.0.1:1";
  const { code, stdout, stderr } = await run(process.execPath, "tasmota", closed, "1", "on");
  expect(code).toBe(1);
  expect(stderr).toBe(
    "pumice-worker: GET http://127.0.0.1:1/cm: ECONNREFUSED, nobody listens there: is it started, is the port right?\n",
  );
  expect(stdout).not.toContain("secret");
});
