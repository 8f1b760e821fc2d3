import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { findingsFor, runDoctor } from "../worker/doctor.ts";
import { startTftpServer } from "../worker/services/tftp-server.ts";

const finding = async (what: string, settings: Record<string, unknown>) => {
  const all = await findingsFor({
    dispatcher_ip: "127.0.0.1",
    tftp_port: 0,
    ...settings,
  });
  return all.find((one) => one.what === what);
};

test("an address that isn't this machine's is missing, with the setting to change", async () => {
  expect(await finding("address", { dispatcher_ip: "192.0.2.1" })).toMatchObject({
    state: "missing",
    text: expect.stringContaining("set services_address") as unknown,
  });
});

test("a free port for TFTP is fine, one that a TFTP server has too, one that something else has is not", async () => {
  expect(await finding("tftp", {})).toMatchObject({ state: "ok" });
  const server = await startTftpServer({ address: "127.0.0.1", port: 0, root: tmpdir() });
  const answered = await finding("tftp", { tftp_port: server.port });
  await server.close();
  expect(answered).toMatchObject({
    state: "ok",
    text: expect.stringContaining("answers") as unknown,
  });
  const other = createSocket("udp4");
  await new Promise<void>((resolve) => other.bind(0, "127.0.0.1", resolve));
  const taken = await finding("tftp", { tftp_port: other.address().port });
  other.close();
  expect(taken).toMatchObject({ state: "missing" });
});

test("folders of system servers must be there and writable", async () => {
  expect(await finding("tftp", { tftp_dir: "/nonexistent" })).toMatchObject({ state: "missing" });
  expect(await finding("tftp", { tftp_dir: tmpdir() })).toMatchObject({ state: "ok" });
  expect(await finding("nfs", { nfs_root: "/nonexistent" })).toMatchObject({ state: "missing" });
  expect(await finding("nfs", {})).toMatchObject({ state: "note" });
});

test("it prints a line each and ends with 1 when something is missing, with 2 for settings it can't read", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "pumice-doctor-"));
  const file = path.join(folder, "settings.yaml");
  const lines: string[] = [];
  const print = (line: string): void => void lines.push(line);
  writeFileSync(file, "dispatcher_ip: 127.0.0.1\ntftp_dir: /nonexistent\n");
  expect(await runDoctor(file, print)).toBe(1);
  expect(lines.find((line) => /^missing +tftp +tftp_dir \/nonexistent/.test(line))).toBeTruthy();
  expect(lines.find((line) => /^ok +tar +overlays/.test(line))).toBeTruthy();
  writeFileSync(file, "dispatcher_ip: [\n");
  expect(await runDoctor(file, print)).toBe(2);
  expect(await runDoctor(path.join(folder, "none"), print)).toBe(2);
  rmSync(folder, { recursive: true });
});
