import { write } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { serialSettings, type OpenPort, type SerialTarget } from "./serial-port.ts";

interface BunRuntime {
  file(descriptor: number): { stream(): ReadableStream<Uint8Array> };
}
const runtime = (globalThis as { Bun?: BunRuntime }).Bun;

export const isBun = (): boolean => runtime !== undefined;

const AGAIN_MS = 2;

/**
 * A serial port under Bun. The package's native part opens, locks and closes it; its way to read ends the process there
 * (it asks libuv for what Bun has not), so Bun reads and writes.
 */
export async function bunSerialPort(target: SerialTarget): Promise<OpenPort> {
  if (!runtime) throw new Error("this is not Bun");
  const { asyncOpen, asyncClose } = await import("@serialport/bindings-cpp/dist/load-bindings.js");
  const descriptor = (await asyncOpen(target.path, {
    ...serialSettings(target),
    // What the package's own `open` adds.
    vmin: 1,
    vtime: 0,
    xany: false,
    lock: true,
  })) as number;
  const reader = runtime.file(descriptor).stream().getReader();
  let rest: Uint8Array = new Uint8Array();
  let isClosed = false;
  let writing: Promise<void> = Promise.resolve();
  const writeAll = async (bytes: Buffer): Promise<void> => {
    for (let at = 0; at < bytes.length;) {
      // The descriptor's number may be another file's by then.
      if (isClosed) throw new Error("was closed");
      try {
        at += (await promisify(write)(descriptor, bytes, at)).bytesWritten;
      } catch (error) {
        // The line is slower than we are.
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
        await sleep(AGAIN_MS);
      }
    }
  };
  return {
    read: async (buffer) => {
      while (rest.length === 0) {
        const { value, done } = await reader.read();
        if (done) throw new Error("the port has gone");
        rest = value;
      }
      const count = Math.min(buffer.length, rest.length);
      buffer.set(rest.subarray(0, count));
      rest = rest.subarray(count);
      return count;
    },
    write: (bytes) => {
      const own = writeAll(bytes);
      writing = Promise.allSettled([writing, own]).then(() => {});
      return own;
    },
    close: async () => {
      isClosed = true;
      await writing;
      await reader.cancel().catch(() => {});
      await asyncClose(descriptor).catch(() => {});
    },
  };
}
