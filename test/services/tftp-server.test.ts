import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { runCommand } from "../../worker/host/spawn.ts";
import { tftpGet } from "../../worker/services/tftp-client.ts";
import { ackPacket, readPacket } from "../../worker/services/tftp-packets.ts";
import { startTftpServer, type TftpServer } from "../../worker/services/tftp-server.ts";
import { lossyUdp, seeded } from "../support/lossy-udp.ts";
import { fetchInWindows } from "../support/window-client.ts";

let root: string;
let server: TftpServer;
let lines: string[];
let out: string;

const random = (bytes: number, seed = 7): Buffer => {
  const next = seeded(seed);
  return Buffer.from(Array.from({ length: bytes }, () => Math.floor(next() * 256)));
};
/** More than 65535 blocks of 512 bytes: their numbers begin again. */
const LARGE = 34 * 1024 * 1024 + 5;

beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), "pumice-tftp-"));
  mkdirSync(path.join(root, "42/kernel"), { recursive: true });
  writeFileSync(path.join(root, "42/kernel/Image"), random(100_000));
  writeFileSync(path.join(root, "42/empty"), "");
  writeFileSync(path.join(root, "42/even"), random(1024));
  writeFileSync(path.join(root, "42/text"), "one\ntwo\rthree\r\n");
  const block = random(64 * 1024, 3);
  writeFileSync(path.join(root, "42/middle"), Buffer.alloc(600_000, block));
  writeFileSync(path.join(root, "42/large"), Buffer.alloc(LARGE, block));
  out = mkdtempSync(path.join(tmpdir(), "pumice-tftp-out-"));
});
afterAll(() => {
  rmSync(root, { recursive: true });
  rmSync(out, { recursive: true });
});
beforeEach(async () => {
  lines = [];
  const onLine = (line: string): void => void lines.push(line);
  server = await startTftpServer({ address: "127.0.0.1", port: 0, root, onLine, timeoutMs: 30 });
});
afterEach(() => server.close());

const stored = (name: string): Buffer => readFileSync(path.join(root, "42", name));
const target = (): string => path.join(out, "got");

const CLIENTS: Record<string, (port: number, file: string) => [string, ...string[]]> = {
  "tftp-hpa": (port, file) => [
    ...(["tftp", "-m", "binary", "127.0.0.1", String(port)] as const),
    ...["-c", "get", file, target()],
  ],
  "busybox with blocks of 1428": (port, file) => [
    ...(["busybox", "tftp", "-b", "1428", "-g"] as const),
    ...["-r", file, "-l", target(), "127.0.0.1", String(port)],
  ],
  "curl with blocks of 1468": (port, file) => [
    ...(["curl", "--silent", "--show-error", "--tftp-blksize", "1468"] as const),
    ...["-o", target(), `tftp://127.0.0.1:${port}/${file}`],
  ],
  "curl without options": (port, file) => [
    ...(["curl", "--silent", "--show-error", "--tftp-no-options"] as const),
    ...["-o", target(), `tftp://127.0.0.1:${port}/${file}`],
  ],
};

test.each(Object.keys(CLIENTS))("%s gets files of any size as they are", async (client) => {
  // With options, curl takes an empty file for an error.
  const empty = client === "curl with blocks of 1468" ? [] : ["empty"];
  for (const name of ["kernel/Image", "even", ...empty]) {
    writeFileSync(target(), "");
    const argv = CLIENTS[client]?.(server.port, `42/${name}`) ?? ["false"];
    expect(await runCommand(argv)).toMatchObject({ status: 0 });
    expect(readFileSync(target()).equals(stored(name))).toBe(true);
  }
});

test(
  "a file of more than 65535 blocks arrives: their numbers begin again",
  { timeout: 60_000 },
  async () => {
    // One that isn't so soon impatient: the machine may be busy.
    const patient = await startTftpServer({ address: "127.0.0.1", port: 0, root });
    const argv = CLIENTS["tftp-hpa"]?.(patient.port, "42/large") ?? ["false"];
    expect(await runCommand(argv)).toMatchObject({ status: 0 });
    expect(readFileSync(target()).equals(stored("large"))).toBe(true);
  },
);

test.each(["tftp-hpa", "curl without options"])(
  "%s gets the whole file over a network that loses, doubles and reorders packets",
  async (client) => {
    const network = await lossyUdp(server.port, { seed: 5 });
    try {
      const argv = CLIENTS[client]?.(network.port, "42/kernel/Image") ?? ["false"];
      expect(await runCommand(argv)).toMatchObject({ status: 0 });
      expect(network.lost()).toBeGreaterThan(5);
    } finally {
      network.close();
    }
    expect(readFileSync(target()).equals(stored("kernel/Image"))).toBe(true);
  },
);

test("a client that asks for windows acknowledges once for each", async () => {
  const options = { blksize: "1024", windowsize: "8", tsize: "0" };
  const got = await fetchInWindows(server.port, "42/kernel/Image", options);
  expect(got.bytes.equals(stored("kernel/Image"))).toBe(true);
  expect(got.options).toMatchObject({ blksize: "1024", windowsize: "8", tsize: "100000" });
  // The options, 98 blocks in 12 full windows, and the last one.
  expect(got.acks).toBe(14);
});

test("windows are as good over a bad network", async () => {
  const network = await lossyUdp(server.port, { seed: 11, loss: 0.01, double: 0.01, swap: 0.01 });
  try {
    const options = { blksize: "64", windowsize: "32" };
    const got = await fetchInWindows(network.port, "42/kernel/Image", options);
    expect(got.bytes.equals(stored("kernel/Image"))).toBe(true);
    expect(network.lost()).toBeGreaterThan(5);
  } finally {
    network.close();
  }
});

test("in windows too, block numbers begin again", { timeout: 60_000 }, async () => {
  const options = { blksize: "8", windowsize: "64" };
  const got = await fetchInWindows(server.port, "42/middle", options);
  expect(got.bytes.equals(stored("middle"))).toBe(true);
});

test.each([
  [{ blksize: "65464" }, { blksize: "65464" }],
  [{ blksize: "7" }, {}],
  [{ blksize: "9999999" }, {}],
  [{ blksize: "512x", tsize: "0" }, { tsize: "1024" }],
  [
    { windowsize: "65535", blksize: "1024" },
    { windowsize: "64", blksize: "1024" },
  ],
  [{ timeout: "3" }, { timeout: "3" }],
  [{ timeout: "0", multicast: "", tsize: "0" }, { tsize: "1024" }],
])("of the options %j the server takes %j", async (asked, taken) => {
  const got = await fetchInWindows(server.port, "42/even", asked);
  expect(got.options).toEqual(expect.objectContaining(taken));
  expect(Object.keys(got.options).filter(Boolean)).toHaveLength(Object.keys(taken).length);
  expect(got.bytes.equals(stored("even"))).toBe(true);
});

test("netascii ends lines with CR LF", async () => {
  const argv = ["tftp", "-m", "ascii", "127.0.0.1", String(server.port), "-c", "get", "42/text"];
  expect(await runCommand([argv[0] ?? "", ...argv.slice(1), target()])).toMatchObject({
    status: 0,
  });
  // The client turns it back.
  expect(readFileSync(target(), "latin1")).toBe("one\ntwo\rthree\r\n");
  expect(await rawAnswers([1, "42/text", "netascii"])).toEqual([
    Buffer.from("\x00\x03\x00\x01one\r\ntwo\r\0three\r\0\r\n", "latin1"),
  ]);
});

/** What a packet of our making gets for an answer. */
async function rawAnswers(request: [number, ...string[]] | Buffer): Promise<Buffer[]> {
  const socket = createSocket("udp4");
  const answers: Buffer[] = [];
  const [opcode, ...words] = Buffer.isBuffer(request) ? [0] : request;
  const packet = Buffer.isBuffer(request)
    ? request
    : Buffer.concat([Buffer.from([0, opcode]), Buffer.from(`${words.join("\0")}\0`)]);
  await new Promise<void>((resolve) => {
    socket.on("message", (answer, from) => {
      answers.push(answer);
      // It has what it wants: whatever comes is ended.
      socket.send(Buffer.from("\0\x05\0\0thanks\0"), from.port, from.address, () => resolve());
    });
    socket.send(packet, server.port, "127.0.0.1", () => {
      // What is ignored gets no answer: a second question, which is answered, comes after it.
      if (Buffer.isBuffer(request)) socket.send(readPacket("no", {}), server.port, "127.0.0.1");
    });
  });
  socket.close();
  return answers;
}

test.each([
  "../outside",
  "42/../../outside",
  "/etc/passwd",
  "42/leads-out",
  "42/leads-out-folder/passwd",
  "42",
  "",
  "/",
  "42/kernel/Image/",
  "42/none",
  `${"a".repeat(300)}`,
  "42/\u{1F4A9}",
])("the name %j is no file of the folder, and its error says no more", async (name) => {
  writeFileSync(path.join(root, "../outside"), "outside");
  rmSync(path.join(root, "42/leads-out"), { force: true });
  rmSync(path.join(root, "42/leads-out-folder"), { force: true });
  symlinkSync("/etc/passwd", path.join(root, "42/leads-out"));
  symlinkSync("/etc", path.join(root, "42/leads-out-folder"));
  const [answer = Buffer.alloc(0)] = await rawAnswers([1, name, "octet"]);
  rmSync(path.join(root, "../outside"));
  if (name === "42/kernel/Image/") expect(answer.readUInt16BE(0)).toBe(3);
  else expect(answer.readUInt16BE(0)).toBe(5);
});

test("the folder of a job may be elsewhere: a link in the served folder leads there", async () => {
  const job = mkdtempSync(path.join(tmpdir(), "pumice-tftp-job-"));
  writeFileSync(path.join(job, "file"), "of the job");
  symlinkSync("../", path.join(job, "up"));
  symlinkSync(job, path.join(root, "43"));
  const at = { address: "127.0.0.1", port: server.port };
  expect((await tftpGet(at, "43/file")).toString()).toBe("of the job");
  await expect(tftpGet(at, "43/up/etc/passwd")).rejects.toThrow("File not found");
  rmSync(path.join(root, "43"));
  rmSync(job, { recursive: true });
});

test.each([
  ["nothing", Buffer.alloc(0)],
  ["a byte", Buffer.from([1])],
  ["an acknowledgement of nothing", ackPacket(1)],
  ["an unknown opcode", Buffer.from("\0\x09file\0octet\0")],
  ["two kilobytes", Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(2048, "a"), Buffer.alloc(1)])],
])("%s is ignored", async (_, packet) => {
  const [answer = Buffer.alloc(0)] = await rawAnswers(packet);
  expect(answer.toString("latin1")).toContain("File not found");
});

test.each([
  ["a write", 2, [2, "42/new", "octet"]],
  ["an unknown mode", 4, [1, "42/even", "mail"]],
] as const)("%s is refused with error %i", async (_, code, request) => {
  const [answer = Buffer.alloc(0)] = await rawAnswers([...request]);
  expect([answer.readUInt16BE(0), answer.readUInt16BE(2)]).toEqual([5, code]);
});

test("a request that comes twice makes one transfer; a client that went silent is given up", async () => {
  const socket = createSocket("udp4");
  const from = new Set<number>();
  const request = readPacket("42/large", {});
  await new Promise<void>((resolve) => {
    socket.on("message", (_packet, { port }) => {
      from.add(port);
      if (lines.length > 0) resolve();
    });
    const interval = setInterval(() => lines.length > 0 && (clearInterval(interval), resolve()), 5);
    socket.send(request, server.port, "127.0.0.1");
    socket.send(request, server.port, "127.0.0.1");
  });
  socket.close();
  expect(from.size).toBe(1);
  expect(lines[0]).toMatch(
    /^42\/large to 127\.0\.0\.1: 0 bytes in .* blocks resent: the client is silent$/,
  );
});

test("packets of others don't disturb a transfer", async () => {
  const socket = createSocket("udp4");
  const fetched = fetchInWindows(server.port, "42/kernel/Image", { windowsize: "2" });
  for (let port = server.port - 20; port < server.port + 20; port += 1) {
    socket.send(Buffer.from("\0\x05\0\0go away\0"), port, "127.0.0.1");
  }
  expect((await fetched).bytes.equals(stored("kernel/Image"))).toBe(true);
  socket.close();
});

test("no more than a hundred transfers go on at a time", async () => {
  const sockets = Array.from({ length: 101 }, () => createSocket("udp4"));
  const refusals: string[] = [];
  await new Promise<void>((resolve) => {
    for (const socket of sockets) {
      socket.on("message", (packet) => {
        if (packet.readUInt16BE(0) !== 5) return;
        refusals.push(packet.toString("latin1", 4));
        resolve();
      });
      socket.send(readPacket("42/large", {}), server.port, "127.0.0.1");
    }
  });
  for (const socket of sockets) socket.close();
  expect(refusals).toEqual(["too many transfers, try again\0"]);
});

test("a pipe in the folder is no file, and keeps nobody waiting", async () => {
  // More of them than there are threads that could wait.
  const names = Array.from({ length: 8 }, (_, n) => `42/pipe${n}`);
  for (const name of names) execFileSync("mkfifo", [path.join(root, name)]);
  const at = { address: "127.0.0.1", port: server.port };
  const answers = await Promise.allSettled(names.map((name) => tftpGet(at, name)));
  expect(answers.map((answer) => answer.status === "rejected" && String(answer.reason))).toEqual(
    names.map(() => "Error: File not found"),
  );
});

test("a port that is taken is an error of the start", async () => {
  const again = startTftpServer({ address: "127.0.0.1", port: server.port, root });
  await expect(again).rejects.toThrow("EADDRINUSE");
});
