import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { brotliDecompressSync } from "node:zlib";

/** A native addon inside the bundle: Node.js's name of its architecture, and its file, Brotli in base64. */
type EmbeddedAddon = readonly [arch: string, packed: string];

/**
 * Loads the addon that fits this machine; those of one architecture are for different C libraries. Its file is
 * gone when this returns.
 *
 * @throws Error when none fits, or no folder lets a program be loaded from it (all are mounted noexec, or full).
 */
export function loadEmbeddedAddon(addons: readonly EmbeddedAddon[]): unknown {
  const fitting = addons.filter(([arch]) => arch === process.arch);
  let reason = new Error(`no native serial port for ${process.arch} is in this program`);
  for (const [, packed] of fitting) {
    const bytes = unpack(packed);
    for (const folder of folders()) {
      try {
        return loadFrom(folder, bytes);
      } catch (error) {
        reason = error as Error;
      }
    }
  }
  throw reason;
}

/** In a container, or a locked service, all but the worker's own folder may be mounted noexec or read-only. */
function folders(): Set<string> {
  const own = [process.env["PUMICE_JOB_DIR"], process.env["PUMICE_WORK_DIR"]];
  return new Set([tmpdir(), "/run", "/dev/shm", "/var/tmp", ...own.flatMap((one) => one || [])]);
}

function loadFrom(folder: string, bytes: Buffer): unknown {
  const own = mkdtempSync(path.join(folder, "pumice-"));
  try {
    const file = path.join(own, "addon.node");
    writeFileSync(file, bytes, { mode: 0o700 });
    const module = { exports: {} };
    process.dlopen(module, file);
    return module.exports;
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

/** Texts inside the bundle: pairs of name and text, as JSON, Brotli in base64. */
export const unpackTexts = (packed: string): Map<string, string> =>
  new Map(JSON.parse(unpack(packed).toString("utf8")) as [string, string][]);

const unpack = (packed: string): Buffer => brotliDecompressSync(Buffer.from(packed, "base64"));
