import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { extractFromIso } from "../../worker/host/iso9660.ts";

let dir = "";
const at = (name: string): string => path.join(dir, name);
const large = Buffer.alloc(300_000, "kernel");
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-iso-"));
  mkdirSync(at("tree/install.amd/many"), { recursive: true });
  writeFileSync(at("tree/install.amd/vmlinuz"), large);
  writeFileSync(at("tree/install.amd/initrd with a long name.gz"), "initrd");
  writeFileSync(at("tree/install.amd/empty"), "");
  for (let n = 0; n < 200; n++) writeFileSync(at(`tree/install.amd/many/file-${n}.udeb`), `${n}`);
});
afterEach(() => rmSync(dir, { recursive: true }));
const make = (...options: string[]): void => {
  execFileSync("xorriso", ["-as", "mkisofs", "-quiet", ...options, "-o", at("iso"), at("tree")]);
};
const makeBare = (): void => {
  const argv = ["-rockridge", "off", "-as", "mkisofs", "-quiet", "-o", at("iso"), at("tree")];
  execFileSync("xorriso", argv, { stdio: "ignore" });
};
const extract = async (name: string): Promise<Buffer> => {
  await extractFromIso(at("iso"), name, at("out"));
  return readFileSync(at("out"));
};

test("files are found by the names that they have, in folders of many sectors too", async () => {
  make("-r");
  expect((await extract("/install.amd/vmlinuz")).equals(large)).toBe(true);
  expect((await extract("install.amd/initrd with a long name.gz")).toString()).toBe("initrd");
  expect((await extract("/install.amd/many/file-199.udeb")).toString()).toBe("199");
  expect((await extract("/install.amd/empty")).length).toBe(0);
});

test("an image without Rock Ridge has plain names, whatever their case", async () => {
  makeBare();
  expect((await extract("/install.amd/VMLINUZ")).equals(large)).toBe(true);
});

test("what isn't there is named with what is beside it; what isn't an ISO says so", async () => {
  make("-r");
  await expect(extract("/install.amd/linux")).rejects.toThrow(/no file .*beside it: .*vmlinuz/);
  await expect(extract("/install.amd")).rejects.toThrow(/has no file/);
  truncateSync(at("iso"), 60_000);
  await expect(extract("/install.amd/vmlinuz")).rejects.toMatchObject({ type: "Job" });
  writeFileSync(at("iso"), Buffer.alloc(100_000));
  await expect(extract("/x")).rejects.toThrow("no volume descriptor");
});
