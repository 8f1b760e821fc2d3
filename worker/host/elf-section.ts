import { closeSync, openSync, readSync } from "node:fs";

/** Bytes from the file's beginning. */
export interface FilePiece {
  readonly offset: number;
  readonly bytes: number;
}

/** Where a 64-bit little-endian ELF file has the section of this name; undefined when it has none, or is something else. */
export function findSection(file: string, name: string): FilePiece | undefined {
  const fd = openSync(file, "r");
  try {
    const read = (offset: number, bytes: number): Buffer => {
      const buffer = Buffer.alloc(bytes);
      return buffer.subarray(0, readSync(fd, buffer, 0, bytes, offset));
    };
    const header = read(0, 64);
    if (header.length < 64 || !header.subarray(0, 6).equals(ELF)) return undefined;
    const [size, count] = [header.readUInt16LE(0x3a), header.readUInt16LE(0x3c)];
    const table = read(Number(header.readBigUInt64LE(0x28)), size * count);
    const sections = Array.from({ length: table.length / size }, (_, index) => {
      const at = index * size;
      return {
        name: table.readUInt32LE(at),
        offset: Number(table.readBigUInt64LE(at + 0x18)),
        bytes: Number(table.readBigUInt64LE(at + 0x20)),
      };
    });
    const names = sections[header.readUInt16LE(0x3e)];
    if (!names) return undefined;
    const texts = read(names.offset, names.bytes);
    const wanted = Buffer.from(`${name}\0`);
    return sections.find((one) =>
      texts.subarray(one.name, one.name + wanted.length).equals(wanted),
    );
  } finally {
    closeSync(fd);
  }
}

/** Its magic, 64 bits, little-endian. */
const ELF = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
