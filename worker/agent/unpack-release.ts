import { createHash } from "node:crypto";
import { chmodSync, createReadStream, mkdirSync, renameSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import { createGunzip } from "node:zlib";
import type { ReleaseFile } from "#protocol/release.ts";
import { syncFolder } from "../host/atomic-file.ts";
import { runCommand } from "../host/spawn.ts";
import type { Layout } from "../install/layout.ts";
import { UpgradeRefused } from "./upgrade-failure.ts";

const CHECK_MS = 30_000;

/**
 * Makes a version's file from its gzip: unpacked beside its place, compared with what the signed manifest says, tried with
 * `--version`, then renamed. Throws `UpgradeRefused` when it is another file or does not run here; an error of the disk otherwise.
 */
export async function unpackRelease(
  layout: Layout,
  version: string,
  packed: string,
  manifest: Pick<ReleaseFile, "bytes" | "sha256">,
  signal: AbortSignal,
): Promise<void> {
  const target = path.join(layout.dir, layout.fileOf(version));
  const fresh = `${path.dirname(target)}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true, mode: 0o755 });
  try {
    const file = path.join(fresh, path.basename(target));
    await unpack(packed, file, manifest);
    signal.throwIfAborted();
    chmodSync(file, 0o755);
    await tryIt(file, version, signal);
    rmSync(path.dirname(target), { recursive: true, force: true });
    renameSync(fresh, path.dirname(target));
    syncFolder(path.dirname(path.dirname(target)));
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

async function unpack(
  packed: string,
  file: string,
  { bytes, sha256 }: Pick<ReleaseFile, "bytes" | "sha256">,
): Promise<void> {
  const hash = createHash("sha256");
  let size = 0;
  const target = await open(file, "wx", 0o600);
  const source = createReadStream(packed);
  const unpacked = source.pipe(createGunzip());
  source.on("error", (error) => unpacked.destroy(error));
  try {
    for await (const piece of unpacked as AsyncIterable<Buffer>) {
      size += piece.length;
      if (size > bytes) break;
      hash.update(piece);
      await target.writeFile(piece);
    }
    await target.sync();
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (!code.startsWith("Z_")) throw error;
    throw new UpgradeRefused(`the file can't be unpacked: ${(error as Error).message}`);
  } finally {
    source.destroy();
    unpacked.destroy();
    await target.close();
  }
  if (size !== bytes || hash.digest("hex") !== sha256) {
    throw new UpgradeRefused("the file is not the one that the signed manifest names");
  }
}

/** Wrong processor, missing libraries, no rights to execute there: all found out while the old version runs. */
async function tryIt(file: string, version: string, signal: AbortSignal): Promise<void> {
  const late = AbortSignal.timeout(CHECK_MS);
  let said: string;
  try {
    const { status, output } = await runCommand([file, "--version"], {
      signal: AbortSignal.any([signal, late]),
    });
    if (status === 0 && output.trim() === `pumice-worker ${version}`) return;
    said = `exit code ${status}, ${JSON.stringify(output.trim().slice(-500))}`;
  } catch (error) {
    signal.throwIfAborted();
    // Of this moment, not of the file: a process that is just being forked still has it open, or there is no room for one.
    if (/\b(ETXTBSY|EAGAIN|ENOMEM|EMFILE|ENFILE)\b/.test((error as Error).message)) throw error;
    said = late.aborted ? `nothing within ${CHECK_MS / 1000} s` : (error as Error).message;
  }
  throw new UpgradeRefused(`the new file does not run here; "--version" gave: ${said}`);
}
