import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCommand } from "../../worker/host/spawn.ts";
import { isUimage, writeUimageHeader, type UimageOptions } from "../../worker/overlay/uimage.ts";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(path.join(tmpdir(), "pumice-uimage-"))));
afterAll(() => rmSync(folder, { recursive: true }));

async function make(options: UimageOptions): Promise<string> {
  const image = path.join(folder, "image");
  writeFileSync(image, Buffer.concat([Buffer.alloc(64), Buffer.from("a kernel, so to say\n")]));
  const file = await open(image, "r+");
  await writeUimageHeader(file, options).finally(() => file.close());
  return image;
}

test.each([
  ["arm", "kernel", 0x80008000, 0x80008040],
  ["arm64", "kernel", 0x40400000, 0x40400000],
  ["arm64", "ramdisk", 0, 0],
  ["riscv", "ramdisk", 0, 0],
  ["mips", "kernel", 0xffffffff, 0xffffffff],
  ["x86_64", "script", 0, 0],
] as const)("for %s, a %s is byte for byte what mkimage makes", async (arch, type, load, entry) => {
  const ours = await make({ arch, type, load, entry });
  const data = path.join(folder, "data");
  writeFileSync(data, type === "script" ? "" : "a kernel, so to say\n");
  if (type !== "script") {
    const theirs = path.join(folder, "theirs");
    const argv = ["-A", arch, "-O", "linux", "-T", type, "-C", "none", "-d", data];
    const at = ["-a", load.toString(16), "-e", entry.toString(16)];
    const env = { ...process.env, SOURCE_DATE_EPOCH: "0" };
    expect(await runCommand(["mkimage", ...argv, ...at, theirs], { env })).toMatchObject({
      status: 0,
    });
    expect(readFileSync(ours).equals(readFileSync(theirs))).toBe(true);
  }
  const { status, output } = await runCommand(["mkimage", "-l", ours]);
  expect(status).toBe(0);
  expect(output).toMatch(/Data Size: +20 Bytes/);
  expect(output).not.toMatch(/corrupt|bad/i);
  expect(await isUimage(ours)).toBe(true);
  expect(await isUimage(data)).toBe(false);
});
