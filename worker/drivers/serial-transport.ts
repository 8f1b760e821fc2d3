import { read } from "node:fs";
import { promisify } from "node:util";
import type { LinuxPortBinding } from "@serialport/bindings-cpp";
import type { Transport } from "../console/transport.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import { bunSerialPort, isBun } from "./bun-serial.ts";
import { serialSettings, type OpenPort, type SerialTarget } from "./serial-port.ts";

/**
 * A port is read at most this often: at 115200 baud each byte would wake the worker, which costs 10 % of a core and so
 * 2 %. The kernel keeps 4 KiB meanwhile, 20 ms of 2 Mbaud.
 */
const READ_INTERVAL_MS = 10;
const BUFFER_BYTES = 64 * 1024;

/**
 * A serial port of this host, opened for this process alone.
 *
 * @throws JobFailure Infrastructure when it can't be opened: missing, not permitted, in use.
 */
export async function serialTransport(target: SerialTarget): Promise<Transport> {
  const port = await opened(target);
  let isClosed = false;
  let closing: Promise<void> | undefined;
  let end: (why: string) => void = () => {};
  const ended = new Promise<string>((resolve) => (end = resolve));
  const close = (): Promise<void> => {
    isClosed = true;
    return (closing ??= port.close().catch(() => {}));
  };
  const pump = async (listener: (bytes: Uint8Array) => void): Promise<void> => {
    const buffer = Buffer.allocUnsafe(BUFFER_BYTES);
    try {
      while (!isClosed) {
        const count = await port.read(buffer);
        listener(Buffer.from(buffer.subarray(0, count)));
        await new Promise((resolve) => setTimeout(resolve, READ_INTERVAL_MS));
      }
      end("was closed");
    } catch (error) {
      end(isClosed ? "was closed" : `broke: ${(error as Error).message}`);
      await close();
    }
  };
  return {
    onData: (listener) => void pump(listener),
    onEnd: (listener) => void ended.then(listener),
    write: async (bytes) => {
      if (isClosed) throw new Error("was closed");
      await port.write(Buffer.from(bytes));
    },
    close,
  };
}

async function opened(target: SerialTarget): Promise<OpenPort> {
  try {
    return isBun() ? await bunSerialPort(target) : await nodeSerialPort(target);
  } catch (cause) {
    const message = `can't be opened: ${(cause as Error).message}`;
    throw new JobFailure("Infrastructure", message, { cause });
  }
}

async function nodeSerialPort(target: SerialTarget): Promise<OpenPort> {
  // A worker without the native module starts, and works with everything but serial ports.
  const { LinuxBinding } = await import("@serialport/bindings-cpp");
  const port = await LinuxBinding.open(serialSettings(target));
  return {
    read: (buffer) => readPort(port, buffer),
    write: (bytes) => port.write(bytes),
    close: () => port.close(),
  };
}

const readAsync = promisify(read);

/**
 * Not the package's own way to read: a line that was hung up, as by an unplugged adapter, reads as empty for ever, and
 * the package would ask on without an end.
 */
async function readPort(port: LinuxPortBinding, buffer: Buffer): Promise<number> {
  for (;;) {
    if (port.fd === null) throw new Error("was closed");
    try {
      const { bytesRead } = await readAsync(port.fd, buffer, 0, buffer.length, null);
      if (bytesRead > 0) return bytesRead;
      throw new Error("the port has gone");
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EAGAIN" && code !== "EINTR") throw error;
    }
    // Closed while it was read: to ask the poller of a closed port ends the whole process.
    if (!port.isOpen) throw new Error("was closed");
    await new Promise<void>((resolve, reject) =>
      port.poller.once("readable", (error) => (error ? reject(error) : resolve())),
    );
  }
}
