import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createServer as createPlainServer, type RequestListener } from "node:http";
import { createServer } from "node:https";
import { once } from "node:events";
import {
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { readCode } from "#protocol/enrol.ts";
import { serve, type Serving } from "../../control-plane/serve.ts";
import { pinOf } from "../../control-plane/cli/server-pin.ts";
import { readWorkerSettings } from "../../worker/host/settings-file.ts";
import { pumiceProgram } from "../support/pumice-program.ts";
import { selfSigned } from "../support/self-signed.ts";
import { workerProgram } from "../support/worker-program.ts";
import { lacking } from "../support/lacking.ts";

let programs: Record<"pumice" | "worker", Awaited<ReturnType<typeof workerProgram>>>;
beforeAll(async () => {
  const [pumiceFile, workerFile] = await Promise.all([pumiceProgram(), workerProgram()]);
  programs = { pumice: pumiceFile, worker: workerFile };
}, 180_000);
afterAll(() => Object.values(programs).forEach(({ remove }) => remove()));
// Each test is a handful of programs, on a machine that may have other things to do.
vi.setConfig({ testTimeout: 120_000 });

let dir: string;
let files: { cert: string; key: string };
let serving: Serving;
beforeEach(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-enrol-"));
  files = selfSigned(dir, "lab");
  serving = await serve({ dataDir: path.join(dir, "data"), listen: "127.0.0.1:0", tls: files });
});
afterEach(async () => {
  await serving.close();
  rmSync(dir, { recursive: true, force: true });
});

const ROOT = path.resolve(import.meta.dirname, "../..");
const RUNTIMES = [
  ["Node.js", process.execPath],
  ["Node.js 20", path.join(ROOT, "node_modules/node20-linux-x64/bin/node")],
  ["Bun", path.join(ROOT, "node_modules/@oven/bun-linux-x64/bin/bun")],
] as const;

/** Runs a program to its end. */
async function run(command: string, args: string[], env: NodeJS.ProcessEnv = {}) {
  const clean = { PATH: process.env["PATH"], HOME: dir, ...env };
  const child = spawn(command, args, { env: clean, stdio: ["ignore", "pipe", "pipe"] });
  const said: Record<"stdout" | "stderr", string> = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].on("data", (data: Buffer) => (said[name] += String(data)));
  }
  const [code] = (await once(child, "close")) as [number];
  return { code, ...said };
}

const pumice = (...args: string[]) =>
  run(process.execPath, [programs.pumice.file, ...args], {
    PUMICE_URL: serving.url,
    PUMICE_TOKEN_FILE: path.join(dir, "data/admin-token"),
    NODE_EXTRA_CA_CERTS: files.cert,
  });
const board = (name: string) => path.join(dir, name, "worker.env");
const worker = (args: string[], runtime: string = process.execPath, env = {}) =>
  run(runtime, [programs.worker.file, ...args], env);
const enrol = (line: string, name: string, runtime?: string) =>
  worker([...line.trim().split(" ").slice(1), "--settings", board(name)], runtime);

/** The line for a board, as it is printed for people. */
async function printedLine(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await pumice("workers", "enrol", "bench", ...args);
  expect([code, stderr]).toEqual([0, expect.stringContaining("Run this on the board")]);
  expect(stdout).toMatch(
    /^pumice-worker enrol https:\/\/127\.0\.0\.1:\d+ bench:[\w-]{34}:[\w-]{43}\n$/,
  );
  return stdout;
}

describe("a board", () => {
  test.each(RUNTIMES)(
    "is enrolled over TLS by the pin in its code, under %s",
    async (_, runtime) => {
      const line = await printedLine("--add");
      expect((await pumice("workers")).stdout).toContain("waits for enrolment");
      const enrolled = await enrol(line, "one", runtime);
      expect(enrolled).toMatchObject({ code: 0, stderr: "" });
      expect(enrolled.stdout).toContain(`This machine is the worker bench of ${serving.url}`);
      const token = readFileSync(path.join(dir, "one/token"), "utf8").trim();
      expect(JSON.stringify(enrolled)).not.toContain(token);
      expect(readdirSync(path.join(dir, "one"))).toEqual(["token", "worker.env"]);
      for (const name of readdirSync(path.join(dir, "one"))) {
        expect(statSync(path.join(dir, "one", name)).mode & 0o777).toBe(0o600);
      }
      // What it wrote is all that the agent needs.
      const agent = spawn(
        runtime,
        [programs.worker.file, "start", "--work-dir", path.join(dir, "w")],
        {
          env: { PATH: process.env["PATH"], PUMICE_SETTINGS: board("one") },
          stdio: "ignore",
        },
      );
      try {
        for (;;) if (/^bench +Online/m.test((await pumice("workers")).stdout)) break;
      } finally {
        agent.kill();
        await once(agent, "exit");
      }
    },
  );

  test("races with another for one code: one wins, the other is told, and keeps nothing of it", async () => {
    const line = await printedLine("--add");
    const ended = await Promise.all([enrol(line, "one"), enrol(line, "two")]);
    expect(ended.map(({ code }) => code).toSorted((a, b) => a - b)).toEqual([0, 1]);
    const loser = ended[0]!.code === 0 ? "two" : "one";
    const told = ended.find(({ code }) => code === 1)?.stderr;
    expect(told).toMatch(/^pumice-worker: POST .*: 401 this code is not valid[^\n]*\n$/);
    expect(readdirSync(path.join(dir, loser))).toEqual([]);
  });

  test("asks again with the same token when it was stopped before it could write it down", async () => {
    const line = await printedLine("--add");
    const folder = path.join(dir, "one");
    const draft = path.join(folder, "token.enrolling");
    const { worker: name, secret } = readCode(line.trim().split(" ").at(-1)!)!;
    const of = createHash("sha256").update(`${name}:${secret}`).digest("hex");
    expect((await enrol(line, "one")).code).toBe(0);
    const token = readFileSync(path.join(folder, "token"), "utf8");
    // As after a power cut behind the request.
    for (const file of readdirSync(folder)) rmSync(path.join(folder, file));
    writeFileSync(draft, JSON.stringify({ of, token: token.trim() }));
    expect((await enrol(line, "one")).code).toBe(0);
    expect(readFileSync(path.join(folder, "token"), "utf8")).toBe(token);
    // Another code is another token.
    writeFileSync(draft, JSON.stringify({ of, token: token.trim() }));
    expect((await enrol(await printedLine(), "one")).code).toBe(0);
    expect(readFileSync(path.join(folder, "token"), "utf8")).not.toBe(token);
  });

  test.skipIf(lacking(process.getuid?.() !== 0, "it needs root"))(
    "that root enrols leaves the files to the worker's user",
    async () => {
      const folder = path.join(dir, "one");
      mkdirSync(folder);
      chownSync(folder, 4711, 4712);
      expect((await enrol(await printedLine("--add"), "one")).code).toBe(0);
      for (const name of ["token", "worker.env"]) {
        const { uid, gid, mode } = statSync(path.join(folder, name));
        expect([name, uid, gid, mode & 0o777]).toEqual([name, 4711, 4712, 0o600]);
      }
    },
  );

  test("gets the lab's release keys, for the versions that come later", async () => {
    const key = path.join(dir, "release-key");
    expect((await pumice("releases", "keygen", key)).code).toBe(0);
    expect((await pumice("releases", "trust", `${key}.pub`)).code).toBe(0);
    expect((await enrol(await printedLine("--add"), "one")).code).toBe(0);
    const keys = readFileSync(path.join(dir, "one/release-keys.pem"), "utf8");
    expect(keys).toBe(readFileSync(`${key}.pub`, "utf8"));
    expect(readWorkerSettings(board("one"), {}).values.PUMICE_RELEASE_KEYS?.value).toBe(
      path.join(dir, "one/release-keys.pem"),
    );
  });

  test("keeps what somebody wrote into its settings", async () => {
    mkdirSync(path.join(dir, "one"));
    writeFileSync(board("one"), "# rack 2\nPUMICE_CACHE_MB=500\nPUMICE_PIN=other\n");
    expect((await enrol(await printedLine("--add"), "one")).code).toBe(0);
    const text = readFileSync(board("one"), "utf8");
    expect(text).toMatch(/^# rack 2\nPUMICE_CACHE_MB=500\nPUMICE_PIN=[\w-]{43}\n/);
  });

  test("that may not write its settings says so before the code is used", async () => {
    const line = await printedLine("--add");
    const refused = await enrol(line, "lab.pem/no");
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("ENOTDIR");
    expect((await enrol(line, "one")).code).toBe(0);
  });
});

test("a code that pins the server's key is not sent where there is none to compare", async () => {
  const line = await printedLine("--add");
  let requests = 0;
  const plain = createPlainServer((_request, answer) => {
    requests++;
    answer.end("{}");
  }).listen(0, "127.0.0.1");
  await once(plain, "listening");
  try {
    const { port } = plain.address() as AddressInfo;
    const ended = await enrol(line.replace(serving.url, `http://127.0.0.1:${port}`), "one");
    expect([ended.code, ended.stderr]).toEqual([2, expect.stringContaining("expected https://")]);
    expect(requests).toBe(0);
  } finally {
    plain.close();
  }
});

describe("a server with another key than the pinned one", () => {
  test.each(RUNTIMES)("is sent nothing at all by %s", async (_, runtime) => {
    const other = selfSigned(dir, "other");
    let requests = 0;
    const heard: RequestListener = (_request, answer) => {
      requests++;
      answer.end("{}");
    };
    const between = createServer(
      { cert: readFileSync(other.cert), key: readFileSync(other.key) },
      heard,
    );
    let bytes = 0;
    between.on("secureConnection", (socket) => socket.on("data", (data) => (bytes += data.length)));
    between.listen(0, "127.0.0.1");
    await once(between, "listening");
    try {
      const line = await printedLine("--add");
      const { port } = between.address() as AddressInfo;
      const ended = await enrol(
        line.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${port}`),
        "one",
        runtime,
      );
      expect([ended.code, ended.stderr]).toEqual([1, expect.stringContaining("another key")]);
      expect([requests, bytes]).toEqual([0, 0]);
      expect((await enrol(line, "one")).code).toBe(0);
    } finally {
      between.close();
    }
  });
});

describe("pumice workers enrol", () => {
  test("pins by a file, for a lab that is seen by another name than the board's", async () => {
    const { stdout } = await pumice(
      ...["workers", "enrol", "bench", "--add", "--server", "https://lab.example:8443/"],
      ...["--certificate", files.cert, "--expires", "30m"],
    );
    const pin = pinOf(readFileSync(files.cert, "utf8"));
    expect(stdout).toMatch(/^pumice-worker enrol https:\/\/lab\.example:8443 bench:[\w-]{34}:/);
    expect(stdout.trim()).toMatch(new RegExp(`:${pin}$`));
  });

  test("leaves the pin out when told so", async () => {
    const { stdout } = await pumice("workers", "enrol", "bench", "--add", "--no-pin");
    expect(stdout.trim().split(" ").at(-1)).toMatch(/^bench:[\w-]{34}$/);
  });

  test("makes no code by a certificate that it does not trust itself", async () => {
    const env = {
      PUMICE_URL: "http://127.0.0.1:1",
      PUMICE_TOKEN_FILE: path.join(dir, "data/admin-token"),
    };
    const args = ["workers", "enrol", "bench", "--server", serving.url];
    const { code, stderr } = await run(process.execPath, [programs.pumice.file, ...args], env);
    expect([code, stderr]).toEqual([2, expect.stringContaining("doesn't trust the certificate")]);
  });

  test.each([
    [["--expires", "8d"], "expected 1m to 7d"],
    [["--expires", "1"], "expected 1m to 7d"],
    [["--server", "lab"], "no http:// or https://"],
    [["--certificate", import.meta.filename], "no certificate in PEM"],
    [["--no-pin", "--pin"], "the opposite"],
    [[], "there is no worker"],
  ])("with %j says what is wrong", async (args, text) => {
    const { code, stderr } = await pumice("workers", "enrol", "bench", ...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(text)]);
  });
});

test.each([
  [[], "expected URL CODE"],
  [["lab", "bench:x"], "lab is no http:// or https:// address"],
  [["https://lab.example", "bench:x"], "this is no code"],
  [["https://lab.example"], "this is no code"],
])("pumice-worker enrol %j says what is wrong", async (args, text) => {
  const { code, stderr } = await worker(["enrol", ...args]);
  expect([code, stderr]).toEqual([2, expect.stringContaining(text)]);
});
