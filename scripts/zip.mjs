// The smallest zip writer that does what AWS Lambda needs (PKWARE's APPNOTE 6.3.10, sections 4.3 and 4.4): deflated
// files, no folders of their own, no zip64. The same files make the same bytes: names in order, one time for all.
import { crc32, deflateRawSync } from "node:zlib";

const VERSION = 20;
// Names are UTF-8.
const FLAGS = 0x0800;
const DEFLATED = 8;
// 1980-01-01 00:00, where a zip's time begins.
const TIME = 0;
const DATE = 0x21;
const UNIX = 3;
const READABLE_FILE = 0o100644;

/** `entries` are `{name, bytes}`, names relative and with slashes. */
export function zip(entries) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const { name, bytes } of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const packed = deflateRawSync(bytes, { level: 9 });
    const path = Buffer.from(name);
    const common = u16(FLAGS, DEFLATED, TIME, DATE);
    const sizes = u32(crc32(bytes), packed.length, bytes.length);
    const local = [u32(0x04034b50), u16(VERSION), common, sizes, u16(path.length, 0), path, packed];
    directory.push(u32(0x02014b50), Buffer.from([VERSION, UNIX]), u16(VERSION), common, sizes);
    directory.push(u16(path.length, 0, 0, 0, 0), u32((READABLE_FILE << 16) >>> 0, offset), path);
    parts.push(...local);
    offset += lengthOf(local);
  }
  const size = lengthOf(directory);
  const count = entries.length;
  const end = [u32(0x06054b50), u16(0, 0, count, count), u32(size, offset), u16(0)];
  return Buffer.concat([...parts, ...directory, ...end]);
}

const lengthOf = (parts) => parts.reduce((sum, part) => sum + part.length, 0);

const u16 = (...values) => Buffer.from(new Uint16Array(values).buffer);
const u32 = (...values) => Buffer.from(new Uint32Array(values).buffer);
