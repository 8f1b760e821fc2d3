import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { extractFromIso } from "../../../worker/host/iso9660.ts";
import { unpackTar } from "../../../worker/host/tar.ts";
import { unpackTo, unpackZip } from "../../../worker/host/unpack.ts";
import { cpioFolders, isInitramfs } from "../../../worker/overlay/cpio-folders.ts";
import { imagePart } from "../../../worker/overlay/partition-table.ts";
import { unpackSparse } from "../../../worker/overlay/sparse-image.ts";
import { isUimage } from "../../../worker/overlay/uimage.ts";
import { JobFailure } from "../../../worker/pipeline/job-failure.ts";
import type { FuzzTarget } from "../engine/fuzz-target.ts";

/** Archives and images that a job has downloaded: nothing is written beside the folder that they are unpacked to. */
export const archives: FuzzTarget = {
  about: "tar, zip, gzip, cpio, ISO 9660, sparse and partitioned images",
  words: [
    ...[
      "ustar\0",
      "PK\u0003\u0004",
      "PK\u0001\u0002",
      "PK\u0005\u0006",
      "070701",
      "TRAILER!!!",
      "CD001",
    ],
    ...["../", "/", "outside", "../outside", "/tmp/", "\0", "0000644\0", "0000000\0", "7777777\0"],
    ...["1", "2", "3", "5", "L", "K", "x", "g", "././@LongLink", "RR", "NM", "EFI PART"],
    ...[
      [0x3a, 0xff, 0x26, 0xed],
      [0xc1, 0xca],
      [0xc2, 0xca],
      [0xc3, 0xca],
      [0x27, 0x05, 0x19, 0x56],
    ].map((bytes) => Buffer.from(bytes)),
    ...[
      [0x1f, 0x8b, 8, 0],
      [0x55, 0xaa],
      [0xff, 0xff, 0xff, 0xff],
    ].map((bytes) => Buffer.from(bytes)),
  ],
  seeds: samples,
  async open() {
    const dir = mkdtempSync(path.join(tmpdir(), "pumice-fuzz-archives-"));
    const archive = path.join(dir, "archive");
    const target = path.join(dir, "inside/target");
    writeFileSync(path.join(dir, "outside"), "as before");
    const steps: (() => Promise<unknown>)[] = [
      () => unpackZip(archive, path.join(target, "of-zip")),
      () => unzipped(readFileSync(archive), path.join(target, "of-gz")),
      () => isInitramfs(archive),
      async () => (await cpioFolders(archive))("lib/modules"),
      () => extractFromIso(archive, "boot/kernel", path.join(target, "of-iso")),
      () => unpackSparse(archive, path.join(target, "of-sparse")),
      () => imagePart(archive, 1),
      () => imagePart(archive, undefined),
      () => isUimage(archive),
    ];
    let count = 0;
    return {
      async run(input) {
        rmSync(path.join(dir, "inside"), { recursive: true, force: true });
        mkdirSync(target, { recursive: true });
        writeFileSync(archive, input);
        for (const step of steps) await named(step);
        // Two programs each time: only what looks like one, and some of the rest.
        const isTar = Buffer.from(input).includes("ustar");
        if (isTar || ++count % 16 === 0)
          await named(() => unpackTar(archive, path.join(target, "of-tar")));
        if (readFileSync(path.join(dir, "outside"), "utf8") !== "as before")
          throw new Error("a file beside the folder was changed");
        const beside = [...readdirSync(dir), ...readdirSync(path.join(dir, "inside"))]
          .toSorted()
          .join();
        if (beside !== "archive,inside,outside,target")
          throw new Error(`beside the folder there is ${beside}`);
      },
      close: () => rmSync(dir, { recursive: true, force: true }),
    };
  },
};

/** Refusals that say whose fault it is are what is wanted. */
async function named(step: () => Promise<unknown>): Promise<void> {
  try {
    await step();
  } catch (error) {
    if (error instanceof JobFailure && error.type !== "Bug") return;
    throw error;
  }
}

async function unzipped(bytes: Buffer, target: string): Promise<void> {
  const { input, done } = unpackTo(target, "gz");
  input.on("error", () => {});
  input.end(bytes);
  await done;
}

function samples(): Buffer[] {
  const dir = mkdtempSync(path.join(tmpdir(), "pumice-fuzz-samples-"));
  try {
    mkdirSync(path.join(dir, "tree/lib"), { recursive: true });
    writeFileSync(path.join(dir, "tree/lib/a"), "a");
    symlinkSync("../../outside", path.join(dir, "tree/link"));
    const run = (command: string): Buffer =>
      execFileSync("sh", ["-c", command], { cwd: dir, stdio: ["ignore", "pipe", "ignore"] });
    return [
      run("tar --format=ustar -C tree -cf - ."),
      run("tar --format=gnu --transform 's,^lib,link/lib,' -C tree -cf - link lib"),
      run("tar -P --transform 's,^lib,../../lib,' -C tree -cf - lib"),
      run("cd tree && find . | cpio -o -H newc --quiet"),
      run("cd tree && zip -qry - lib/a"),
      gzipSync(run("cd tree && find . | cpio -o -H newc --quiet")),
      sparse(),
      partitioned(),
      iso(),
    ];
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function sparse(): Buffer {
  const image = Buffer.alloc(28 + 12 + 512 + 12 + 4 + 12);
  image.writeUInt32LE(0xed26ff3a, 0);
  [1, 0, 28, 12].forEach((word, n) => image.writeUInt16LE(word, 4 + 2 * n));
  [512, 4, 3, 0].forEach((word, n) => image.writeUInt32LE(word, 12 + 4 * n));
  const chunk = (at: number, kind: number, blocks: number, bytes: number): void => {
    image.writeUInt16LE(kind, at);
    image.writeUInt32LE(blocks, at + 4);
    image.writeUInt32LE(bytes, at + 8);
  };
  chunk(28, 0xcac1, 1, 12 + 512);
  chunk(28 + 12 + 512, 0xcac2, 2, 16);
  chunk(28 + 12 + 512 + 16, 0xcac3, 1, 12);
  return image;
}

function partitioned(): Buffer {
  const image = Buffer.alloc(2048);
  image.writeUInt8(0x83, 446 + 4);
  image.writeUInt32LE(1, 446 + 8);
  image.writeUInt32LE(3, 446 + 12);
  image.writeUInt16LE(0xaa55, 510);
  return image;
}

/** A descriptor, a folder that has `boot`, and in it `kernel`. */
function iso(): Buffer {
  const image = Buffer.alloc(20 * 2048);
  const entry = (
    at: number,
    name: string,
    sector: number,
    bytes: number,
    flags: number,
  ): number => {
    const length = 33 + name.length + ((name.length + 1) % 2);
    image.writeUInt8(length, at);
    image.writeUInt32LE(sector, at + 2);
    image.writeUInt32LE(bytes, at + 10);
    image.writeUInt8(flags, at + 25);
    image.writeUInt8(name.length, at + 32);
    image.write(name, at + 33, "latin1");
    return at + length;
  };
  image.write("\u0001CD001\u0001", 16 * 2048, "latin1");
  entry(16 * 2048 + 156, "\0", 17, 2048, 2);
  entry(entry(17 * 2048, "\0", 17, 2048, 2), "BOOT", 18, 2048, 2);
  entry(entry(18 * 2048, "\0", 18, 2048, 2), "KERNEL", 19, 10, 0);
  image.write("0123456789", 19 * 2048);
  return image.subarray(0, 19 * 2048 + 64);
}
