import { open, type FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";

/** Bytes of the header that U-Boot's legacy images begin with. */
export const UIMAGE_HEADER_BYTES = 64;

export interface UimageOptions {
  readonly arch: string;
  readonly type: "kernel" | "ramdisk" | "script";
  readonly load?: number;
  readonly entry?: number;
  readonly name?: string;
  /** Seconds since 1970; 0 when not said, so that equal files make equal images. */
  readonly timeSeconds?: number;
}

/** U-Boot's numbers (its "legacy image" format); `mkimage -A` takes the same words. */
const ARCHITECTURES: Readonly<Record<string, number>> = {
  alpha: 1,
  arm: 2,
  x86: 3,
  ia64: 4,
  mips: 5,
  mips64: 6,
  powerpc: 7,
  ppc: 7,
  s390: 8,
  sh: 9,
  sparc: 10,
  sparc64: 11,
  m68k: 12,
  microblaze: 14,
  nios2: 15,
  blackfin: 16,
  avr32: 17,
  sandbox: 19,
  nds32: 20,
  or1k: 21,
  arm64: 22,
  arc: 23,
  x86_64: 24,
  xtensa: 25,
  riscv: 26,
};
const TYPES = { kernel: 2, ramdisk: 3, script: 6 };
const MAGIC = 0x2705_1956;
const OS_LINUX = 5;

export const isUimageArch = (arch: string): boolean => Object.hasOwn(ARCHITECTURES, arch);

/**
 * Writes the header of a legacy U-Boot image (uncompressed, for Linux) at the start of a file whose data begins at
 * byte 64 already; reads the data once, for its checksum.
 */
export async function writeUimageHeader(file: FileHandle, options: UimageOptions): Promise<void> {
  const { size } = await file.stat();
  const dataBytes = size - UIMAGE_HEADER_BYTES;
  const dataCrc = await crcOf(file, UIMAGE_HEADER_BYTES);
  const header = uimageHeader(dataBytes, dataCrc, options);
  await file.write(header, 0, header.length, 0);
}

export function uimageHeader(dataBytes: number, dataCrc: number, options: UimageOptions): Buffer {
  const { arch, type, load = 0, entry = 0, name = "", timeSeconds = 0 } = options;
  const code = ARCHITECTURES[arch];
  if (code === undefined) throw new Error(`unknown architecture ${arch}`);
  if (dataBytes > 0xffff_ffff) throw new Error("a U-Boot image can't be larger than 4 GiB");
  const header = Buffer.alloc(UIMAGE_HEADER_BYTES);
  [MAGIC, 0, timeSeconds, dataBytes, load, entry, dataCrc].forEach((value, n) => {
    header.writeUInt32BE(value >>> 0, n * 4);
  });
  header.set([OS_LINUX, code, TYPES[type], 0], 28);
  header.write(name.slice(0, 31), 32, "latin1");
  // Of the header with this field still 0.
  header.writeUInt32BE(crc32(header), 4);
  return header;
}

/** Whether a file begins as a legacy U-Boot image does. */
export async function isUimage(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    return bytesRead === 4 && buffer.readUInt32BE(0) === MAGIC;
  } finally {
    await handle.close();
  }
}

async function crcOf(file: FileHandle, from: number): Promise<number> {
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  let crc = 0;
  for (let at = from; ;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) return crc;
    crc = crc32(buffer.subarray(0, bytesRead), crc);
    at += bytesRead;
  }
}
