import { existsSync } from "node:fs";
import path from "node:path";
import { root } from "../../test/support/real-lab.ts";

/** One form of the worker that is measured. */
export interface Subject {
  readonly name: string;
  /** What is copied to a board. */
  readonly file: string;
  /** How it is called here. */
  readonly command: readonly [program: string, ...args: string[]];
  /** Not where another processor is emulated: how fast that is says nothing of a board. */
  readonly isComparable: boolean;
  /** For programs that it starts. */
  readonly env?: Readonly<Record<string, string>>;
}

export const FILES = ["x64", "armv7", "arm64"] as const;
export type FileName = (typeof FILES)[number];

const EMULATORS: Record<FileName, readonly string[]> = {
  x64: [],
  arm64: ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"],
  armv7: ["qemu-arm-static", "-L", "/usr/arm-linux-gnueabihf"],
};

/** One of the single files of `folder`; throws when it has not been built. */
export function singleFile(name: FileName, folder = path.join(root, "dist")): Subject {
  const file = path.join(folder, `pumice-worker-linux-${name}`);
  if (!existsSync(file)) throw new Error(`${file}: not there, make it with scripts/build ${name}`);
  const [program = file, ...args] = [...EMULATORS[name], file];
  const isComparable = args.length === 0;
  return { name: `linux-${name}`, file, command: [program, ...args], isComparable };
}

/** The bundle on the Node.js that runs this, as scripts/pumice-worker starts it. */
export function onNode(): Subject {
  const file = path.join(root, "dist/pumice-worker.cjs");
  const command = [process.execPath, "--max-semi-space-size=2", file] as const;
  return { name: `Node.js ${process.versions.node}`, file, command, isComparable: true };
}
