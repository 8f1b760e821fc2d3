import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { JobContext } from "../../worker/pipeline/action.ts";
import { serveFile } from "../../worker/services/file-server.ts";
import { aJobContext } from "../support/plan-of.ts";

let scratch: string;
let releases: (() => Promise<void>)[];
beforeEach(() => {
  scratch = mkdtempSync(path.join(tmpdir(), "pumice-files-"));
  releases = [];
});
afterEach(async () => {
  for (const release of releases.reverse()) await release();
  rmSync(scratch, { recursive: true });
});

const nothing = (): void => {};
const log = { write: () => 0, debug: nothing, info: nothing, warning: nothing };
function contextOf(dispatcher: JobContext["dispatcher"]) {
  return {
    job: { ...aJobContext(), scratch, dispatcher },
    log: { ...log, writeLines: () => [], error: nothing, result: nothing },
    defer: (release: () => Promise<void>) => void releases.push(release),
  };
}
const loopback = { dispatcher_ip: "127.0.0.1" };
function put(name: string, text: string): string {
  const file = path.join(scratch, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

test("a DUT fetches a file of the job under the address that was handed out", async () => {
  const url = await serveFile(contextOf(loopback), put("deploy-1/kernel/a b%", "the kernel"));
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/tmp\/deploy-1\/kernel\/a%20b%25$/);
  const answer = await fetch(url);
  expect(answer.headers.get("content-length")).toBe("10");
  expect(await answer.text()).toBe("the kernel");
});

test("the address is the one DUTs know, where it listens is a setting of its own", async () => {
  const context = contextOf({ dispatcher_ip: "10.0.2.2", services_address: "127.0.0.1" });
  const url = await serveFile(context, put("a", "A"));
  expect(url).toMatch(/^http:\/\/10\.0\.2\.2:/);
  expect(await (await fetch(url.replace("10.0.2.2", "127.0.0.1"))).text()).toBe("A");
});

test("an IPv6 address is handed out in brackets", async () => {
  const url = await serveFile(contextOf({ dispatcher_ip: "::1" }), put("a", "A"));
  expect(url).toMatch(/^http:\/\/\[::1\]:\d+\/tmp\/a$/);
  expect(await (await fetch(url)).text()).toBe("A");
});

test("an address of another machine is refused, and not taken for all addresses", async () => {
  const file = put("a", "A");
  await expect(serveFile(contextOf({ dispatcher_ip: "192.0.2.1" }), file)).rejects.toThrow(
    "dispatcher_ip 192.0.2.1 is no address of this machine: set services_address",
  );
});

test("all files of a job come from one server, which ends with the job", async () => {
  const context = contextOf(loopback);
  const first = new URL(await serveFile(context, put("a", "A")));
  const second = new URL(await serveFile(context, put("b", "B")));
  expect(second.port).toBe(first.port);
  expect(releases).toHaveLength(1);
  await releases.pop()?.();
  await expect(fetch(first)).rejects.toThrow();
  const again = await serveFile(context, put("a", "A2"));
  expect(await (await fetch(again)).text()).toBe("A2");
});

test.each([
  ["bytes=2-4", 206, "bytes 2-4/10", "234"],
  ["bytes=7-", 206, "bytes 7-9/10", "789"],
  ["bytes=-2", 206, "bytes 8-9/10", "89"],
  ["bytes=5-99", 206, "bytes 5-9/10", "56789"],
  ["bytes=10-", 416, "bytes */10", ""],
  ["bytes=4-2", 200, null, "0123456789"],
  ["bytes=0-1,3-4", 200, null, "0123456789"],
  ["lines=1-2", 200, null, "0123456789"],
])("the range %s gets status %i and %s", async (range, status, header, body) => {
  const url = await serveFile(contextOf(loopback), put("a", "0123456789"));
  const answer = await fetch(url, { headers: { range } });
  expect([answer.status, answer.headers.get("content-range"), await answer.text()]).toEqual([
    status,
    header,
    body,
  ]);
});

test("HEAD tells the size of a file, an empty one too", async () => {
  const context = contextOf(loopback);
  const full = await fetch(await serveFile(context, put("a", "12345")), { method: "HEAD" });
  expect(full.headers.get("content-length")).toBe("5");
  const empty = await fetch(await serveFile(context, put("b", "")));
  expect([empty.status, await empty.text()]).toEqual([200, ""]);
});

test("nothing else of the job or of the machine is served, by whatever path", async () => {
  const context = contextOf(loopback);
  put("secrets", "s3cret");
  symlinkSync("/etc/passwd", path.join(scratch, "link"));
  mkdirSync(path.join(scratch, "root"));
  symlinkSync("/etc", path.join(scratch, "root/etc"));
  put("root/file", "in the folder");
  const url = await serveFile(context, path.join(scratch, "root"));
  const base = url.replace(/root$/, "");
  expect(await (await fetch(`${url}/file`)).text()).toBe("in the folder");
  for (const name of [
    "secrets",
    "link",
    "root",
    "root/etc/passwd",
    "root/%2e%2e/secrets",
    "..%2f..%2fetc%2fpasswd",
    "root/%00",
    "%",
    "",
  ]) {
    expect([name, (await fetch(base + name)).status]).toEqual([name, 404]);
  }
  expect((await fetch(`${url}/file`, { method: "POST" })).status).toBe(405);
});

test("a pipe in a served folder is not waited for", async () => {
  const folder = path.dirname(put("files/a", "a"));
  execFileSync("mkfifo", [path.join(folder, "pipe")]);
  const url = await serveFile(contextOf(loopback), folder);
  expect((await fetch(`${url}/pipe`)).status).toBe(404);
  expect(await (await fetch(`${url}/a`)).text()).toBe("a");
});

test("a file outside of the job's folder can't be handed out at all", async () => {
  const context = contextOf(loopback);
  await expect(serveFile(context, "/etc/passwd")).rejects.toThrow("is not in the job's folder");
  await expect(serveFile(context, path.join(scratch, "none"))).rejects.toThrow("it isn't there");
});

test("a port that is taken is named with the setting to change", async () => {
  const port = Number(new URL(await serveFile(contextOf(loopback), put("a", "A"))).port);
  const taken = serveFile(contextOf({ ...loopback, http_port: port }), put("b", "B"));
  await expect(taken).rejects.toThrow(`127.0.0.1:${port}`);
  await expect(taken).rejects.toThrow("http_port");
});
