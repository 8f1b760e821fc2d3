import { spawn } from "node:child_process";
import { once } from "node:events";
import type http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { lookAtControlPlane } from "../../worker/doctor/control-plane.ts";
import { makeAuthority, type Authority, type ServerCertificate } from "../support/certificates.ts";
import { workerProgram } from "../support/worker-program.ts";
import { startWebProxy } from "../support/web-proxy.ts";

let authority: Authority;
let folder: string;
beforeAll(() => {
  authority = makeAuthority();
});
afterAll(() => authority.remove());
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-doctor-tls-"));
});
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true });
});

/** A control plane with one worker, and a clock that may be another. */
async function serve(certificate: ServerCertificate, offMs = 0): Promise<number> {
  const answers: http.RequestListener = (request, response) => {
    response.setHeader("date", new Date(Date.now() + offMs).toUTCString());
    const isHealth = request.url === "/api/v1/health";
    response.end(
      JSON.stringify(
        isHealth
          ? { status: "ok", version: "1.2.3", engine: "embedded" }
          : { worker: "bench", dispatcher: "", devices: [] },
      ),
    );
  };
  const server = https.createServer(certificate, answers);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  return (server.address() as AddressInfo).port;
}

async function look(url: string, env: NodeJS.ProcessEnv) {
  const tokenFile = path.join(folder, "token");
  writeFileSync(tokenFile, "token", { mode: 0o600 });
  const { findings } = await lookAtControlPlane(url, tokenFile, env);
  return {
    states: findings.map(({ state, what }) => `${state} ${what}`),
    text: (what: string) => findings.find((one) => one.what === what)?.text,
  };
}

const trusting = (): NodeJS.ProcessEnv => ({ PUMICE_CA_FILE: authority.file });
const all = ["ok proxy", "ok name", "ok tls", "ok server", "ok clock", "ok token"];

test("a good certificate is told with its issuer and end, one that ends soon is noted", async () => {
  const port = await serve(authority.issue(["DNS:localhost"]));
  const good = await look(`https://localhost:${port}`, trusting());
  expect(good.states).toEqual(all);
  expect(good.text("tls")).toMatch(/certificate of CN=Pumice test authority, until Dec 31 .* 2049/);
  expect(good.text("server")).toMatch(/version 1\.2\.3 \(embedded\)/);
  const soon = new Date(Date.now() + 5 * 24 * 3600_000)
    .toISOString()
    .replace(/\D/g, "")
    .slice(0, 14);
  const ending = await serve(authority.issue(["DNS:localhost"], { to: `${soon}Z` }));
  const { states, text } = await look(`https://localhost:${ending}`, trusting());
  expect(states).toContain("note tls");
  expect(text("tls")).toMatch(/[45] days left/);
});

test("a certificate that won't do is told with what is wrong, by whom it is and for how long", async () => {
  const expired = await serve(authority.issue(["DNS:localhost"], { to: "20210101000000Z" }));
  const old = await look(`https://localhost:${expired}`, trusting());
  expect(old.states.at(-1)).toBe("wrong tls");
  expect(old.text("tls")).toMatch(/has expired: this machine's clock says.*Jan  1 .* 2021/);
  const other = await serve(authority.issue(["DNS:other.test"]));
  const named = await look(`https://localhost:${other}`, trusting());
  expect(named.text("tls")).toMatch(/not for localhost: .*other\.test/);
  const unknown = await look(`https://localhost:${other}`, {});
  expect(unknown.text("tls")).toMatch(/authority that this machine doesn't know.*PUMICE_CA_FILE/);
});

test("a pin is enough, and another key is told", async () => {
  const certificate = authority.issue(["DNS:other.test"], { to: "20210101000000Z" });
  const port = await serve(certificate);
  const pinned = await look(`https://127.0.0.1:${port}`, { PUMICE_PIN: certificate.pin });
  expect(pinned.states).toEqual(all);
  const { pin } = authority.issue(["DNS:localhost"]);
  const changed = await look(`https://127.0.0.1:${port}`, { PUMICE_PIN: pin });
  expect(changed.text("tls")).toMatch(/another key/);
});

test("a pin without TLS is a mistake", async () => {
  const { pin } = authority.issue(["DNS:localhost"]);
  const plain = await look("http://127.0.0.1:1", { PUMICE_PIN: pin });
  expect(plain.states.at(-1)).toBe("wrong tls");
});

test("a clock that differs from the server's is told with both", async () => {
  const port = await serve(authority.issue(["DNS:localhost"]), 3600_000);
  const { states, text } = await look(`https://localhost:${port}`, trusting());
  expect(states).toContain("wrong clock");
  expect(text("clock")).toMatch(/3600 s behind the control plane's: set it.*NTP/);
});

test("the way through a proxy is looked at as requests go", async () => {
  const port = await serve(authority.issue(["DNS:lab.test"]));
  const proxy = await startWebProxy({ login: "jo:secret", resolve: () => "127.0.0.1" });
  closing.push(proxy.close);
  const through = (login: string) =>
    look(`https://lab.test:${port}`, {
      ...trusting(),
      HTTPS_PROXY: `http://${login}@127.0.0.1:${proxy.port}`,
    });
  expect((await through("jo:secret")).states).toEqual(all);
  expect((await through("jo:wrong")).text("tls")).toMatch(/refuses user jo/);
});

describe("the program sees the same", () => {
  let program: Awaited<ReturnType<typeof workerProgram>>;
  beforeAll(async () => {
    program = await workerProgram();
  });
  afterAll(() => program.remove());

  const npm = path.resolve(import.meta.dirname, "../../node_modules");
  test.each([
    ["Node.js 20", path.join(npm, "node20-linux-x64/bin/node")],
    ["Node.js 24", process.execPath],
    ["Bun", path.join(npm, "@oven/bun-linux-x64/bin/bun")],
  ])("under %s", async (_, runtime) => {
    const soon = new Date(Date.now() + 5 * 24 * 3600_000)
      .toISOString()
      .replace(/\D/g, "")
      .slice(0, 14);
    const port = await serve(authority.issue(["DNS:localhost"], { to: `${soon}Z` }), -3600_000);
    writeFileSync(path.join(folder, "token"), "token", { mode: 0o644 });
    const settings = path.join(folder, "worker.env");
    const lines = [`PUMICE_URL=https://localhost:${port}`, "PUMICE_TOKEN_FILE=token"];
    writeFileSync(
      settings,
      [...lines, `PUMICE_CA_FILE=${authority.file}`, "PUMICE_X=1"].join("\n"),
    );
    const args = ["doctor", "--json", "--settings", settings, "--work-dir", folder];
    const child = spawn(runtime, [program.file, ...args], {
      env: { PATH: process.env["PATH"] },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    const [code] = (await once(child, "close")) as [number];
    const { findings } = JSON.parse(said) as { findings: { state: string; what: string }[] };
    const states = findings.map(({ state, what }) => `${state} ${what}`);
    const way = ["note settings", "ok proxy", "ok name", "note tls", "ok server", "wrong clock"];
    expect(states.slice(0, 9)).toEqual([...way, "note token", "note agent", "ok work folder"]);
    expect(code).toBe(1);
  });
});
