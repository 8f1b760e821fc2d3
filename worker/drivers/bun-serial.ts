import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { runCommand } from "../host/spawn.ts";
import { requireTool } from "../host/tool.ts";
import type { OpenPort, SerialTarget } from "./serial-port.ts";

interface BunRuntime {
  file(descriptor: number): { stream(): ReadableStream<Uint8Array> };
}
const runtime = (globalThis as { Bun?: BunRuntime }).Bun;

export const isBun = (): boolean => runtime !== undefined;

const AGAIN_MS = 2;

/**
 * A serial port under Bun, where the package `serialport` ends the process (it asks libuv for what Bun has not):
 * stty(1) sets the line, Bun reads it.
 */
export async function bunSerialPort(target: SerialTarget): Promise<OpenPort> {
  if (!runtime) throw new Error("this is not Bun");
  requireTool("stty");
  const file = await open(
    target.path,
    constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK,
  );
  const { status, output } = await runCommand(["stty", "-F", target.path, ...sttyWords(target)]);
  if (status !== 0) {
    await file.close();
    throw new Error(output.trim());
  }
  const reader = runtime.file(file.fd).stream().getReader();
  let rest: Uint8Array = new Uint8Array();
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
    write: async (bytes) => {
      for (let at = 0; at < bytes.length;) {
        try {
          at += (await file.write(bytes, at)).bytesWritten;
        } catch (error) {
          // The line is slower than we are.
          if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
          await sleep(AGAIN_MS);
        }
      }
    },
    close: async () => {
      await reader.cancel().catch(() => {});
      await file.close().catch(() => {});
    },
  };
}

/** The line's settings as words for stty(1); raw, no echo, as every console. */
export function sttyWords(target: SerialTarget): string[] {
  const { baudRate, dataBits, parity, stopBits, flow } = target;
  return [
    String(baudRate),
    "raw",
    "-echo",
    "-echoe",
    "-echok",
    "-hupcl",
    "clocal",
    "cread",
    `cs${dataBits}`,
    ...(parity === "none" ? ["-parenb"] : ["parenb", parity === "odd" ? "parodd" : "-parodd"]),
    stopBits === 2 ? "cstopb" : "-cstopb",
    flow === "rtscts" ? "crtscts" : "-crtscts",
    ...(flow === "xonxoff" ? ["ixon", "ixoff"] : ["-ixon", "-ixoff"]),
  ];
}
