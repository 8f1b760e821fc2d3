import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync } from "node:fs";
import path from "node:path";
import type { System } from "../../ports/system.ts";
import { openBlobs, type EmbeddedBlobs } from "./blobs.ts";
import { readPrivateFile, writePrivateFile } from "./private-file.ts";
import { createSignals, type EmbeddedSignals } from "./signals.ts";
import { openStore } from "./store.ts";
import { openTable, type EmbeddedTable } from "./table.ts";

export interface EmbeddedEngine {
  readonly table: EmbeddedTable;
  readonly blobs: EmbeddedBlobs;
  readonly signals: EmbeddedSignals;
  /** Secret of this lab, made when its folder was made. */
  readonly secret: string;
  close(): void;
}

/**
 * Opens a data folder, making it (mode 0700) when it is new: `secret`, `table.sqlite` (small blobs, too), `blobs/`.
 * Throws when another process has it open. It may have been left by a crash at any point.
 */
export function openEngine(folder: string, system: Pick<System, "now">): EmbeddedEngine {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  // First, so that nothing else here is touched while another has it.
  const store = openStore(path.join(folder, "table.sqlite"));
  try {
    const secret = readOrMakeSecret(path.join(folder, "secret"));
    const signals = createSignals();
    return {
      table: openTable(store, system.now),
      blobs: openBlobs(folder, secret, system, store),
      signals,
      secret,
      close() {
        signals.close();
        store.close();
      },
    };
  } catch (error) {
    store.close();
    throw error;
  }
}

function readOrMakeSecret(file: string): string {
  const found = readPrivateFile(file);
  if (found) return found;
  const secret = randomBytes(32).toString("hex");
  writePrivateFile(file, `${secret}\n`);
  return secret;
}
