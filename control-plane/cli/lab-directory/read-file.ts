import { closeSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import path from "node:path";

/** Text of a file in a directory, of at most `maxBytes`. Throws an Error that says what is wrong with it. */
export function readLabFile(dir: string, file: string, maxBytes: number): string {
  const real = insideOf(dir, file);
  if (!statSync(real).isFile()) throw new Error("expected a file");
  const handle = openSync(real, "r");
  try {
    const bytes = Buffer.alloc(Math.min(statSync(real).size, maxBytes) + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(handle, bytes, length, bytes.length - length, null);
    }
    if (length > maxBytes) {
      throw new Error(`it is too long: at most ${maxBytes} bytes are read`);
    }
    return decode(bytes.subarray(0, length));
  } finally {
    closeSync(handle);
  }
}

/** The real path of something in a directory. Throws for a link that leads out of it. */
export function insideOf(dir: string, file: string): string {
  const real = realpathSync(path.join(dir, file));
  if (real.startsWith(`${realpathSync(dir)}${path.sep}`)) return real;
  throw new Error("it is a link that leads out of the directory: put the file itself here");
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new Error("it is not UTF-8 text", { cause: error });
  }
}
