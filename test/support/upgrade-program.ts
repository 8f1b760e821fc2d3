import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { systemClock } from "../../worker/agent/clock.ts";
import { downloadRelease } from "../../worker/agent/download-release.ts";
import { unpackRelease } from "../../worker/agent/unpack-release.ts";
import { HttpClient } from "../../worker/host/http-client.ts";
import { layoutOf } from "../../worker/install/layout.ts";
import { releaseServer } from "./release-server.ts";

/*
 * A program: an upgrade's download and unpacking with what can go wrong, a line each of how it ended. Runtimes differ in
 * what a broken connection and a broken gzip are to them.
 */

const sum = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const raw = Buffer.from(
  `#!/bin/sh\necho pumice-worker 9.0.0\nexit 0\n${randomBytes(2_000_000).toString("base64")}`,
);
const gz = gzipSync(raw);
const dir = mkdtempSync(path.join(tmpdir(), "pumice-upgrade-program-"));
const layout = layoutOf(path.join(dir, "lib"));
mkdirSync(layout.dir);
const server = await releaseServer(gz);
const http = new HttpClient(server.url);
const stop = new AbortController();
const request = {
  http,
  clock: systemClock,
  folder: path.join(dir, "incoming"),
  url: server.url,
  bytes: gz.length,
  sha256: sum(gz),
  kbps: 0,
  idleMs: 300,
  signal: stop.signal,
};

async function tell(what: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
    process.stdout.write(`${what}: done\n`);
  } catch (error) {
    const { name, message } = error as Error;
    process.stdout.write(`${what}: ${name}: ${message.replaceAll(/\d{4,}/g, "N")}\n`);
  }
}

try {
  server.faults.push({ cutAfter: 500_000 }, { endAfter: 200_000 }, { stallAfter: 100_000 });
  for (const fault of ["cut", "ended", "stalled"])
    await tell(fault, () => downloadRelease(request));
  server.faults.push({ status: 403 });
  await tell("link", () => downloadRelease(request));
  await tell("rest", () => downloadRelease(request));
  const packed = path.join(request.folder, `${request.sha256}.part`);
  const manifest = { bytes: raw.length, sha256: sum(raw) };
  const unpack = (version: string, wanted = manifest) =>
    unpackRelease(layout, version, packed, wanted, stop.signal);
  await tell("unpack", () => unpack("9.0.0"));
  await tell("another version", () => unpack("9.0.1"));
  await tell("another file", () => unpack("9.0.0", { ...manifest, bytes: 1000 }));
  writeFileSync(packed, readFileSync(packed).subarray(0, 500_000));
  await tell("cut gzip", () => unpack("9.0.0"));
  writeFileSync(packed, "no gzip at all");
  await tell("no gzip", () => unpack("9.0.0"));
  rmSync(packed);
  server.faults.push({ stallAfter: 1000 });
  setTimeout(() => stop.abort(new Error("not wanted")), 50);
  await tell("stopped", () => downloadRelease({ ...request, idleMs: 60_000 }));
} finally {
  http.close();
  await server.close();
  rmSync(dir, { recursive: true, force: true });
}
