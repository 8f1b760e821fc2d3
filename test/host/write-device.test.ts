import {
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  existsSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeDevice } from "../../worker/host/write-device.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-device-"));
});
afterEach(() => rmSync(dir, { recursive: true }));
const at = (name: string): string => path.join(dir, name);
const { signal } = new AbortController();

test("an image is written from the start, and what is behind its end stays", async () => {
  const image = Buffer.alloc(9_000_000, "pumice");
  writeFileSync(at("image"), image);
  writeFileSync(at("disk"), Buffer.alloc(10_000_000, 0x5a));
  const told: number[] = [];
  await writeDevice(at("image"), at("disk"), {
    signal,
    onProgress: (written) => told.push(written),
  });
  const disk = readFileSync(at("disk"));
  expect(disk.length).toBe(10_000_000);
  expect(disk.subarray(0, image.length).equals(image)).toBe(true);
  expect(disk.subarray(image.length).every((byte) => byte === 0x5a)).toBe(true);
  expect(told.at(-1)).toBe(image.length);
});

test("an image that is larger than the disk fails before anything is written", async () => {
  writeFileSync(at("image"), "");
  truncateSync(at("image"), 2000);
  writeFileSync(at("disk"), "x".repeat(1000));
  await expect(writeDevice(at("image"), at("disk"), { signal })).rejects.toMatchObject({
    type: "Job",
    message: expect.stringContaining("2000 bytes"),
  });
  expect(readFileSync(at("disk"), "utf8")).toBe("x".repeat(1000));
});

test("a disk that went away is never made as a file", async () => {
  writeFileSync(at("image"), "image");
  await expect(writeDevice(at("image"), at("gone"), { signal })).rejects.toMatchObject({
    type: "Infrastructure",
  });
  expect(existsSync(at("gone"))).toBe(false);
});
