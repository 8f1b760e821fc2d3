import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { root } from "../../test/support/real-lab.ts";
import { shellQuote } from "../../worker/overlay/shell-quote.ts";

/** One form of the worker that is measured. */
export interface Subject {
  readonly name: string;
  /** What is copied to a board. */
  readonly file: string;
  /** How it is called here. */
  readonly command: readonly [program: string, ...args: string[]];
  /** Not where another processor is emulated: how fast that is says nothing of a board. */
  readonly isComparable: boolean;
}

export const FILES = ["x64", "armv7", "arm64"] as const;
export type FileName = (typeof FILES)[number];

/** What runs another processor's programs here, and where its libraries are. */
const EMULATORS: Partial<Record<FileName, string>> = {
  arm64: "qemu-aarch64-static -L /usr/aarch64-linux-gnu",
  armv7: "qemu-arm-static -L /usr/arm-linux-gnueabihf",
};

/** One of the single files of `folder`; throws when it has not been built. */
export function singleFile(name: FileName, folder = path.join(root, "dist")): Subject {
  const file = path.join(folder, `pumice-worker-linux-${name}`);
  if (!existsSync(file)) throw new Error(`${file}: not there, make it with scripts/build ${name}`);
  const emulator = EMULATORS[name];
  const program = emulator === undefined ? file : emulated(emulator, file);
  const isComparable = emulator === undefined;
  return { name: `linux-${name}`, file, command: [program], isComparable };
}

/** The bundle on the Node.js that runs this, as scripts/pumice-worker starts it. */
export function onNode(): Subject {
  const file = path.join(root, "dist/pumice-worker.cjs");
  const command = [process.execPath, "--max-semi-space-size=2", file] as const;
  return { name: `Node.js ${process.versions.node}`, file, command, isComparable: true };
}

/** A program that runs the file in the emulator, as what the file starts of itself is run too. */
function emulated(emulator: string, file: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), "pumice-bench-emulated-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const program = path.join(folder, path.basename(file));
  const script = `#!/bin/sh\nexport PUMICE_WORKER_PROGRAM="$0"\nexec ${emulator} ${shellQuote(file)} "$@"\n`;
  writeFileSync(program, script, { mode: 0o700 });
  return program;
}
