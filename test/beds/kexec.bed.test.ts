import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { appendCpio } from "../../worker/overlay/cpio.ts";
import { methodPage } from "../support/method-page.ts";
import { runOnBed } from "../support/run-on-bed.ts";
import { startFileShelf } from "./file-shelf.ts";
import { makeGuest } from "./guest.ts";

const KEXEC = "/usr/sbin/kexec";
const problem = existsSync(KEXEC) ? undefined : `${KEXEC} is missing: install kexec-tools`;
if (problem) console.warn(`skipped: ${problem}`);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-kexec-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The guest's initramfs with this machine's kexec and what it is linked with in a second archive. */
async function withKexec(initramfs: string): Promise<string> {
  const tree = path.join(folder, "tree");
  const libraries = execFileSync("ldd", [KEXEC], { encoding: "utf8" }).matchAll(/(\/\S+) \(0x/g);
  for (const file of [...libraries].map(([, name = ""]) => name)) {
    mkdirSync(path.join(tree, path.dirname(file)), { recursive: true });
    copyFileSync(file, path.join(tree, file));
  }
  mkdirSync(path.join(tree, "bin"), { recursive: true });
  copyFileSync(KEXEC, path.join(tree, "bin/kexec"));
  const archive = path.join(folder, "kexec.cpio");
  const handle = await open(archive, "w+");
  await appendCpio(handle, tree, "").finally(() => handle.close());
  const both = path.join(folder, "initramfs.cpio.gz");
  writeFileSync(both, Buffer.concat([readFileSync(initramfs), gzipSync(readFileSync(archive))]));
  return both;
}

describe.skipIf(problem)("a guest in QEMU", () => {
  test("goes into another kernel by kexec", async () => {
    const guest = await makeGuest(() => {});
    const shelf = await startFileShelf({
      vmlinuz: path.join(guest, "vmlinuz"),
      "initramfs.cpio.gz": await withKexec(path.join(guest, "initramfs.cpio.gz")),
    });
    try {
      const page = methodPage("boot-kexec");
      const { outcome, results, text } = await runOnBed({
        job: page.job.replaceAll("http://files.example.com/", shelf.url),
        dictionary: page.dictionary,
        // This machine's loopback, as a guest on QEMU's own network sees it.
        dispatcher: { dispatcher_ip: "10.0.2.2", services_address: "127.0.0.1" },
      });
      expect(outcome, text).toMatchObject({ result: "pass" });
      const cases = results.map(({ case: name, result }) => `${String(name)} ${String(result)}`);
      expect(cases).toEqual(
        expect.arrayContaining(["has-kexec pass", "booted-by-qemu pass", "booted-by-kexec pass"]),
      );
    } finally {
      await shelf.close();
    }
  });
});
