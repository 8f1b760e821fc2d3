import { constants } from "node:fs";
import { open, readFile, realpath, stat } from "node:fs/promises";
import path from "node:path";
import { JobFailure } from "../pipeline/job-failure.ts";

const CHUNK_BYTES = 4 << 20;

export interface WriteDevice {
  readonly signal: AbortSignal;
  /** Bytes written so far, and of how many. */
  readonly onProgress?: (written: number, total: number) => void;
}

/**
 * Writes an image to a disk of this machine, from its start, and waits until it is really there. A path that isn't
 * there is never made: a board that went away must not fill the worker's /dev.
 *
 * @throws JobFailure Infrastructure when the disk isn't there, is in use or breaks; Job when the image is larger.
 */
export async function writeDevice(
  image: string,
  device: string,
  { signal, onProgress }: WriteDevice,
): Promise<void> {
  const fail = (cause: unknown): never => {
    signal.throwIfAborted();
    if (cause instanceof JobFailure) throw cause;
    const why = (cause as Error).message;
    throw new JobFailure("Infrastructure", `${device} can't be written: ${why}`, { cause });
  };
  const real = await realpath(device).catch(fail);
  const { size } = await stat(image);
  const room = await deviceBytes(real).catch(fail);
  if (size > room) {
    throw new JobFailure("Job", `the image has ${size} bytes, ${device} only ${room}`);
  }
  // O_EXCL without O_CREAT: the kernel refuses a disk that is mounted.
  const isDisk = (await stat(real)).isBlockDevice();
  const [from, to] = [
    await open(image),
    await open(real, isDisk ? constants.O_WRONLY | constants.O_EXCL : "r+").catch(fail),
  ];
  try {
    const buffer = Buffer.alloc(CHUNK_BYTES);
    for (let done = 0; done < size;) {
      signal.throwIfAborted();
      const { bytesRead } = await from.read(buffer, 0, CHUNK_BYTES, done);
      if (bytesRead === 0) throw new Error("the image became shorter");
      for (let at = 0; at < bytesRead;) {
        at += (await to.write(buffer, at, bytesRead - at, done + at)).bytesWritten;
      }
      done += bytesRead;
      onProgress?.(done, size);
    }
    await to.sync();
  } catch (error) {
    fail(error);
  } finally {
    await Promise.all([from.close(), to.close()]);
  }
}

async function deviceBytes(device: string): Promise<number> {
  const found = await stat(device);
  if (found.isFile()) return found.size;
  if (!found.isBlockDevice()) throw new Error("expected a disk");
  const sectors = await readFile(`/sys/class/block/${path.basename(device)}/size`, "utf8");
  return Number(sectors) * 512;
}
