import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isSparse, packSparse, unpackSparse } from "../../worker/overlay/sparse-image.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-sparse-"));
});
afterEach(() => rmSync(dir, { recursive: true }));
const file = (name: string): string => path.join(dir, name);

/** An image with data, repeated words, zeros, and data that is larger than what is read at once. */
function rawImage(): Buffer {
  const data = Buffer.alloc(3_000_000);
  for (let n = 0; n < data.length; n++) data[n] = (n * 7919) >>> 5;
  const image = Buffer.concat([
    data,
    Buffer.alloc(500_000, 0xab),
    Buffer.alloc(4_000_000),
    Buffer.from("the end"),
  ]);
  return Buffer.concat([image, Buffer.alloc(4096 - (image.length % 4096))]);
}

test("what img2simg made is unpacked as simg2img does", async () => {
  writeFileSync(file("raw"), rawImage());
  execFileSync("img2simg", [file("raw"), file("sparse")]);
  expect(await isSparse(file("sparse"))).toBe(true);
  await unpackSparse(file("sparse"), file("back"));
  expect(readFileSync(file("back")).equals(rawImage())).toBe(true);
});

test("what we make, simg2img unpacks, and it is no larger than what img2simg makes", async () => {
  writeFileSync(file("raw"), rawImage());
  await packSparse(file("raw"), file("sparse"), { blockBytes: 4096, isLeftAlone: () => false });
  execFileSync("simg2img", [file("sparse"), file("back")]);
  expect(readFileSync(file("back")).equals(rawImage())).toBe(true);
  execFileSync("img2simg", [file("raw"), file("theirs")]);
  const more = statSync(file("sparse")).size - statSync(file("theirs")).size;
  expect(more).toBeLessThan(1024);
});

test("blocks that the image leaves alone go on being left alone, unless something is in them now", async () => {
  writeFileSync(file("raw"), rawImage());
  const alone = (block: number): boolean => block >= 1000 && block < 1500;
  await packSparse(file("raw"), file("sparse"), { blockBytes: 4096, isLeftAlone: alone });
  const layout = await unpackSparse(file("sparse"), file("back"));
  const blocks = Array.from({ length: 2000 }, (_, n) => n);
  expect(blocks.filter(layout.isLeftAlone)).toEqual(blocks.filter(alone));
  const changed = readFileSync(file("back"));
  changed.write("something", 1200 * 4096);
  writeFileSync(file("back"), changed);
  await packSparse(file("back"), file("again"), layout);
  const after = await unpackSparse(file("again"), file("last"));
  expect(after.isLeftAlone(1200)).toBe(false);
  expect(after.isLeftAlone(1201)).toBe(true);
  expect(readFileSync(file("last")).equals(changed)).toBe(true);
});

test("a damaged sparse image, or none, fails and says why", async () => {
  writeFileSync(file("raw"), rawImage());
  await expect(unpackSparse(file("raw"), file("x"))).rejects.toMatchObject({ type: "Job" });
  execFileSync("img2simg", [file("raw"), file("sparse")]);
  truncateSync(file("sparse"), 100_000);
  await expect(unpackSparse(file("sparse"), file("x"))).rejects.toThrow("it ends too early");
  const header = readFileSync(file("sparse"));
  header.writeUInt32LE(0xffff_ffff, 16);
  writeFileSync(file("sparse"), header);
  await expect(unpackSparse(file("sparse"), file("x"))).rejects.toThrow("can't be");
  // Blocks that would take all memory, and such that make a chunk of each word.
  for (const blockBytes of [0xffff_fffc, 4]) {
    header.writeUInt32LE(blockBytes, 12);
    header.writeUInt32LE(1, 16);
    writeFileSync(file("sparse"), header);
    await expect(unpackSparse(file("sparse"), file("x"))).rejects.toThrow("can't be");
  }
});

test("work on an image ends when the job does", async () => {
  writeFileSync(file("raw"), rawImage());
  const signal = AbortSignal.abort(new Error("canceled"));
  const layout = { blockBytes: 4096, isLeftAlone: () => false };
  await expect(packSparse(file("raw"), file("x"), layout, signal)).rejects.toThrow("canceled");
  execFileSync("img2simg", [file("raw"), file("sparse")]);
  await expect(unpackSparse(file("sparse"), file("x"), signal)).rejects.toThrow("canceled");
});
