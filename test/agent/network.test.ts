import { spawn } from "node:child_process";
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import path from "node:path";
import tls from "node:tls";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AgentBench } from "../support/agent-bench.ts";
import { agentProgram } from "../support/agent-program.ts";
import { makeAuthority, type Authority, type ServerCertificate } from "../support/certificates.ts";
import { FakeControlPlane } from "../support/fake-control-plane.ts";
import { startWebProxy, type WebProxy } from "../support/web-proxy.ts";

const root = path.resolve(import.meta.dirname, "../..");
const runtimes: [string, string][] = [
  ["Node.js 20", path.join(root, "node_modules/node20-linux-x64/bin/node")],
  ["Node.js 24", process.execPath],
  ["Bun", path.join(root, "node_modules/@oven/bun-linux-x64/bin/bun")],
];

let program: Awaited<ReturnType<typeof agentProgram>>;
let authority: Authority;
beforeAll(async () => {
  program = await agentProgram();
  authority = makeAuthority();
});
afterAll(() => {
  program.remove();
  authority.remove();
});

let plane: FakeControlPlane;
let bench: AgentBench;
let proxy: WebProxy;
const closing: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  plane = await new FakeControlPlane().listen();
  bench = new AgentBench(program.file, plane.token);
  proxy = await startWebProxy({ login: "jo:p@ss", resolve: () => "127.0.0.1" });
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await bench.close();
  await proxy.close();
  await plane.stop();
});

/** TLS in front of the control plane. */
async function inFrontOf(certificate: ServerCertificate): Promise<number> {
  const sockets = new Set<net.Socket>();
  const server = tls.createServer(certificate, (socket) => {
    const onward = net.connect(Number(new URL(plane.url).port), "127.0.0.1");
    for (const one of [socket, onward]) sockets.add(one.on("error", () => one.destroy()));
    socket.pipe(onward).pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  return (server.address() as AddressInfo).port;
}

/** The worker as a process of its own, with nothing of our environment but what is given; and what it logs. */
function start(runtime: string, url: string, env: Record<string, string>): () => string {
  const args = ["start", "--url", url, "--token-file", bench.tokenFile];
  const child = spawn(runtime, [program.file, ...args, "--work-dir", bench.workDir], {
    env: { PATH: process.env["PATH"], PUMICE_SETTINGS: path.join(bench.dir, "none.env"), ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
  closing.push(async () => {
    child.kill();
    await once(child, "close");
  });
  return () => log;
}

describe.each(runtimes)("a worker under %s", (_, runtime) => {
  test("runs a job through a proxy that wants a password, at a control plane of a private authority", async () => {
    const port = await inFrontOf(authority.issue(["DNS:lab.test"]));
    plane.submit(1, [{ log: 3 }, { result: "smoke" }]);
    const log = start(runtime, `https://lab.test:${port}`, {
      HTTPS_PROXY: `http://jo:p%40ss@127.0.0.1:${proxy.port}`,
      PUMICE_CA_FILE: authority.file,
    });
    const job = await plane.finished(1);
    expect(job.finish).toEqual({ result: "pass", lines: 5 });
    expect(log()).toContain("connected to the control plane");
    expect(log()).not.toContain("p@ss");
    // One to wait, and one or two for what is said meanwhile.
    expect(proxy.asked.length).toBeLessThanOrEqual(3);
    expect(new Set(proxy.asked)).toEqual(new Set([`CONNECT lab.test:${port}`]));
  });

  test("runs a job of a control plane whose expired certificate is pinned", async () => {
    const certificate = authority.issue(["DNS:other.test"], { to: "20210101000000Z" });
    const port = await inFrontOf(certificate);
    plane.submit(1, [{ log: 3 }]);
    start(runtime, `https://127.0.0.1:${port}`, { PUMICE_PIN: certificate.pin });
    await plane.finished(1);
  });
});
