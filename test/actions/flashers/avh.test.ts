import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { methodPage } from "../../support/method-page.ts";
import { startToolBench, type ToolBench } from "../../support/tool-bench.ts";

const TOKEN = "a-token-of-the-api";
let bench: ToolBench;
let avh: Server;
let port: number;
/** `POST /v1/images` ... in order. */
let requests: string[];
/** Body of the request that made the instance. */
let created: Record<string, unknown>;
/** Content of the form of the upload. */
let form: Buffer;
/** What an instance says of itself, one answer after the other; the last one stays. */
let states: string[];
const sockets = new Set<Socket>();

beforeEach(async () => {
  bench = await startToolBench();
  [requests, created, form, states] = [[], {}, Buffer.alloc(0), ["creating", "on"]];
  avh = createServer((request, response) => void answer(request, response));
  avh.on("connection", (socket: Socket) => sockets.add(socket));
  avh.on("upgrade", (request: IncomingMessage, socket: Socket) => webSocket(request, socket));
  await new Promise<void>((resolve) => avh.listen(0, "127.0.0.1", resolve));
  port = (avh.address() as AddressInfo).port;
  for (const name of ["kernel", "devicetree", "nand"]) bench.serve(name, name);
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await new Promise((resolve) => avh.close(resolve));
  await bench.close();
});

/** AVH's API as its documentation has it. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  const body = Buffer.concat(parts);
  const { method = "", url = "", headers } = request;
  const what = `${method} ${url.replace("/api", "")}`;
  requests.push(what);
  const say = (status: number, content: unknown): void => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(content));
  };
  const json = (): Record<string, unknown> =>
    JSON.parse(body.toString()) as Record<string, unknown>;
  if (what === "POST /v1/auth/login") {
    const isRight = json()["apiToken"] === TOKEN;
    return isRight
      ? say(200, { token: "session" })
      : say(401, { error: "Invalid or missing token" });
  }
  if (headers.authorization !== "Bearer session") return say(401, { error: "not logged in" });
  switch (what) {
    case "GET /v1/projects":
      return say(200, [{ id: "p-1", name: "Default Project" }]);
    case "POST /v1/images":
      form = body;
      return say(200, { id: "i-1", status: "active" });
    case "POST /v1/instances":
      created = json();
      return say(200, { id: "v-1", state: "creating" });
    case "GET /v1/instances/v-1":
      return say(200, { id: "v-1", state: states.length > 1 ? states.shift() : states[0] });
    case "GET /v1/instances/v-1/console":
      return say(200, { url: `ws://127.0.0.1:${port}/console?key=1` });
    case "DELETE /v1/instances/v-1":
    case "DELETE /v1/images/i-1":
      response.writeHead(204).end();
      return;
    default:
      say(404, { error: "no such thing" });
  }
}

/** A console behind a web socket (RFC 6455), short frames only. */
function webSocket({ headers }: IncomingMessage, socket: Socket): void {
  const key = `${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash("sha1").update(key).digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  const say = (text: string): void =>
    void socket.write(Buffer.concat([Buffer.from([0x82, text.length]), Buffer.from(text)]));
  socket.on("error", () => {});
  socket.on("data", (bytes: Buffer) => {
    if ((bytes[0] ?? 0) % 16 === 8) return socket.end(Buffer.from([0x88, 0]));
    say("\r\nroot@board:~# ");
  });
  say("Linux version 6.6\r\nboard login: ");
}

const page = (name: string) => {
  const { job, dictionary } = methodPage(name);
  return {
    job,
    dictionary: dictionary.replace("http://avh.example.com", `http://127.0.0.1:${port}`),
  };
};

/** The archive that was uploaded, unpacked. */
function uploaded(): string {
  const begin = form.indexOf("PK\u0003\u0004");
  const end = form.lastIndexOf("\r\n--pumice-");
  const file = path.join(bench.folder, "uploaded.zip");
  writeFileSync(file, form.subarray(begin, end));
  const folder = path.join(bench.folder, "uploaded");
  execFileSync("unzip", ["-q", file, "-d", folder]);
  return folder;
}

test("the page's job makes a package and an instance, and deletes both", async () => {
  const { outcome, text, results } = await bench.run(page("boot-avh"));
  expect(outcome, text).toMatchObject({ result: "pass" });
  expect(requests).toEqual([
    "POST /v1/auth/login",
    "GET /v1/projects",
    "POST /v1/images",
    "POST /v1/auth/login",
    "POST /v1/instances",
    "GET /v1/instances/v-1",
    "GET /v1/instances/v-1",
    "GET /v1/instances/v-1/console",
    "DELETE /v1/instances/v-1",
    "DELETE /v1/images/i-1",
  ]);
  expect(created).toMatchObject({
    project: "p-1",
    flavor: "rpi4b",
    fwpackage: "i-1",
    bootOptions: {
      bootArgs: "console=ttyS0 root=/dev/mmcblk0p2",
      restoreBootArgs: "console=ttyS0",
    },
  });
  const fields = form.toString("latin1");
  for (const field of [
    'name="type"\r\n\r\nfwpackage',
    'name="encoding"\r\n\r\nplain',
    'name="project"\r\n\r\np-1',
  ]) {
    expect(fields).toContain(field);
  }
  const folder = uploaded();
  expect(readFileSync(path.join(folder, "nand"), "utf8")).toBe("nand");
  expect(readFileSync(path.join(folder, "devicetree"), "utf8")).toBe("devicetree");
  expect(readFileSync(path.join(folder, "Info.plist"), "utf8")).toMatch(
    /<key>DeviceIdentifier<\/key>\s*<string>rpi4b<\/string>/,
  );
  expect(results).toContainEqual(
    expect.objectContaining({
      case: "deploy-avh",
      result: "pass",
      extra: { image: "i-1", model: "rpi4b" },
    }),
  );
  expect(text).not.toContain(TOKEN);
});

test("the overlay is in the image of a package that is one already", async () => {
  const source = path.join(bench.folder, "package");
  mkdirSync(source);
  writeFileSync(path.join(source, "Info.plist"), "theirs");
  execFileSync("/sbin/mke2fs", ["-q", "-t", "ext4", path.join(source, "virtio_0"), "16M"]);
  execFileSync("zip", ["-q", "-r", path.join(bench.folder, "package.zip"), "."], { cwd: source });
  bench.serve("package.zip", readFileSync(path.join(bench.folder, "package.zip")));
  states = ["error"];
  const { outcome } = await bench.run(page("deploy-avh"));
  expect(outcome).toMatchObject({ error_type: "Infrastructure" });
  expect(outcome.error_msg).toMatch(/in the state error/);
  const folder = uploaded();
  expect(readFileSync(path.join(folder, "Info.plist"), "utf8")).toBe("theirs");
  const list = execFileSync(
    "/sbin/debugfs",
    ["-R", "ls -p /lava-1", path.join(folder, "virtio_0")],
    {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  expect(list).toMatch(/\/bin\//);
  expect(requests.slice(-2)).toEqual(["DELETE /v1/instances/v-1", "DELETE /v1/images/i-1"]);
});

test("a token that AVH doesn't know is a fault of the lab's, with AVH's words", async () => {
  const { job, dictionary } = page("boot-avh");
  const { outcome } = await bench.run({
    job: job.replace(TOKEN, "another-token-for-it"),
    dictionary,
  });
  expect(outcome).toMatchObject({ error_type: "Infrastructure" });
  expect(outcome.error_msg).toMatch(/POST \/v1\/auth\/login: 401.*Invalid or missing token/);
});

test("a job without a token is refused before anything is asked", async () => {
  const { job, dictionary } = page("boot-avh");
  const { outcome } = await bench.run({ job: job.replace(/^secrets.*\n/m, ""), dictionary });
  expect(outcome.error_msg).toMatch(/secrets\.avh_api_token is missing/);
  expect(requests).toEqual([]);
});
