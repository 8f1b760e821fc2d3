import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Transport } from "../../../worker/console/transport.ts";
import { ptyTransport } from "../../../worker/drivers/pty-transport.ts";

export const DUT_SHELLS = ["dash", "ash", "bash"] as const;
export type DutShell = (typeof DUT_SHELLS)[number];

export const DUT_PROMPT = "root@dut:~# ";

/** What the test shell and the suite use. */
const TOOLS =
  "awk basename cat chmod cp cut date dirname env expr grep head id kill ln ls mkdir mktemp mv od printf ps pwd rm rmdir sed seq sh sleep sort stty tail touch tr true uname wc".split(
    " ",
  );

/** A DUT that is a shell of this machine on a terminal of its own, at its prompt. */
export interface ShellDut {
  /** Path of its shell. */
  readonly shell: string;
  readonly open: () => Promise<Transport>;
}

/**
 * In namespaces of its own the rest of the machine can be read only, and its processes are out of reach: for lines that
 * arrive damaged and are run all the same.
 */
const ISOLATE = `mount --make-rprivate / && mount --bind "$1" "$1" && mount -t proc proc /proc && own=$1 && shift || exit
while read -r _ at _; do
  case $at in "$own") ;; *) mount -o remount,bind,ro "$at" || exit ;; esac
done </proc/self/mounts
exec "$@"`;

const isolated = (folder: string, argv: readonly string[]): [string, ...string[]] => [
  ...(["/usr/bin/unshare", "--mount", "--pid", "--fork", "--kill-child"] as const),
  ...(process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"]),
  ...["/bin/sh", "-c", ISOLATE, "sh", folder, ...argv],
];

/** Why no shell can be kept from this machine; undefined when one can. */
export function lacksIsolation(): string | undefined {
  const folder = mkdtempSync(path.join(tmpdir(), "pumice-isolated-"));
  const outside = path.join(tmpdir(), path.basename(folder) + ".outside");
  const look = `>within || exit; (>${outside}) 2>/dev/null && echo it writes elsewhere; test $$ -lt 9 || echo it sees all`;
  const [program, ...args] = isolated(folder, ["/bin/sh", "-c", `cd ${folder}; ${look}`]);
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  rmSync(folder, { recursive: true });
  rmSync(outside, { force: true });
  const said = (stdout + stderr).trim();
  return status === 0 && said === ""
    ? undefined
    : `a shell can't be kept from this machine: ${said}`;
}

/**
 * Makes one in a folder: `ash` has busybox for all its tools, the others this machine's. `isIsolated`: it can do nothing to
 * this machine.
 */
export function shellDut(folder: string, name: DutShell, isIsolated = false): ShellDut {
  const bin = path.join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  for (const tool of [...TOOLS, name]) {
    const file = name === "ash" ? "/bin/busybox" : fileOf(tool);
    if (file !== undefined) symlinkSync(file, path.join(bin, tool));
  }
  const shell = path.join(bin, name);
  const quiet = name === "bash" ? ["--norc", "--noprofile"] : [];
  const variables = [`PATH=${bin}`, `HOME=${folder}`, `PS1=${DUT_PROMPT}`, "TERM=vt100", "ENV="];
  // A console as getty leaves it: it echoes, edits lines and knows Ctrl-C.
  const settle = 'stty sane rows 24 cols 500; exec "$@"';
  const tools = ["/usr/bin/env", "-i", `--chdir=${folder}`] as const;
  return {
    shell,
    open: async () =>
      atPrompt(
        await ptyTransport([
          ...(isIsolated ? isolated(folder, tools) : tools),
          ...[...variables, `${bin}/sh`, "-c", settle, "sh", shell, ...quiet, "-i"],
        ]),
      ),
  };
}

/** A shell takes a moment to set its terminal up: whoever boots a board has waited for its prompt. */
async function atPrompt(shell: Transport): Promise<Transport> {
  let seen = "";
  let wake: () => void = () => {};
  let listener = (bytes: Uint8Array): void => {
    seen += Buffer.from(bytes).toString("latin1");
    if (seen.includes(DUT_PROMPT)) wake();
  };
  const ready = new Promise<void>((resolve, reject) => {
    wake = resolve;
    shell.onEnd((why) => reject(new Error(`a shell that should be a DUT ${why}: ${seen}`)));
  });
  shell.onData((bytes) => listener(bytes));
  await ready;
  return {
    onData: (next) => (listener = next),
    onEnd: (onEnd) => shell.onEnd(onEnd),
    write: (bytes) => shell.write(bytes),
    close: () => shell.close(),
  };
}

/** Undefined when this machine has no such tool. */
function fileOf(tool: string): string | undefined {
  const known = ["/usr/bin", "/bin"].map((dir) => path.join(dir, tool));
  return known.find((file) => existsSync(file));
}

/** Why this machine can't be such DUTs, which is printed, too; undefined when it can. */
export function lacksForShells(): string | undefined {
  const why = lackOfTools();
  if (why !== undefined) console.warn(`skipped: ${why}`);
  return why;
}

function lackOfTools(): string | undefined {
  for (const [tool, from] of [
    ["dash", "dash"],
    ["busybox", "busybox"],
    ["bash", "bash"],
    ["script", "bsdutils"],
  ] as const) {
    if (fileOf(tool) === undefined) return `${tool} is missing: install ${from}`;
  }
  const applets = execFileSync("/bin/busybox", ["--list"], { encoding: "utf8" });
  return /^stty$/m.test(applets) ? undefined : "this busybox has no stty";
}
