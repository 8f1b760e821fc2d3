import { closeSync, openSync } from "node:fs";
import path from "node:path";

/** What a Unix socket's address has room for, with some to spare. */
const MAX_BYTES = 100;

/**
 * A name of a socket's file that fits into its address, however deep its folder: by an open handle of that. Call `close` once
 * it is bound or connected.
 *
 * @throws what opening the folder throws.
 */
export function shortSocketPath(file: string): { name: string; close: () => void } {
  if (Buffer.byteLength(file) <= MAX_BYTES) return { name: file, close: () => {} };
  const folder = openSync(path.dirname(file), "r");
  const name = `/proc/self/fd/${folder}/${path.basename(file)}`;
  return { name, close: () => closeSync(folder) };
}
