import { spawnSync } from "node:child_process";
import { lstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { root } from "../../../test/support/real-lab.ts";
import type { Figures } from "./figures.ts";
import { heldBy } from "./held-memory.ts";
import { pssOf } from "./process-tree.ts";
import type { Side } from "./sides.ts";

/** What the server's processes hold now. */
export function measureServer(
  figures: Figures,
  sides: readonly Side[],
  name: "server_memory" | "server_memory_after",
): void {
  for (const side of sides) figures.note(name, side.name, pssOf(side.server()));
}

const LOOK_MS = 5000;

/** What an agent holds that has nothing to do: a look each five seconds, so that a minute of them has one of its questions to the server, too. */
export async function measureIdleAgent(figures: Figures, sides: readonly Side[], looks: number) {
  for (let look = 0; look < looks; look++) {
    if (looks > 1) await pause(LOOK_MS);
    for (const side of sides) {
      const agents = side.roles().flatMap(([one, role]) => (role === "agent" ? [one] : []));
      figures.note("worker_memory", side.name, heldBy(agents));
    }
  }
}

const LAVA_PACKAGES = ["lava-server", "lava-dispatcher", "postgresql"];

/**
 * Bytes on the disk of server and worker. LAVA: its packages as they are installed here with what they need, but for Debian's base (essential, required
 * and important packages), by the packages' own figures. Pumice: what `scripts/pumice` and the worker need, and Node.js as the one package.
 */
export function measureInstall(figures: Figures, isBeside: boolean): void {
  figures.note("install_size", "pumice", bytesOfPumice() / 1e6);
  figures.note("install_packages", "pumice", 1);
  if (!isBeside) return;
  const lava = debianPackages(LAVA_PACKAGES);
  figures.note("install_size", "lava", lava.bytes / 1e6);
  figures.note("install_packages", "lava", lava.count);
}

function bytesOfPumice(): number {
  const dist = (name: string): number => bytesBelow(path.join(root, "dist", name));
  const server = ["pumice.mjs", "planner.mjs", "ui", "docs-site", "device-templates"];
  const worker = readdirSync(path.join(root, "dist")).includes("pumice-worker-linux-x64")
    ? "pumice-worker-linux-x64"
    : "pumice-worker.cjs";
  return [...server, worker].reduce(
    (sum, name) => sum + dist(name),
    lstatSync(process.execPath).size,
  );
}

function bytesBelow(place: string): number {
  const found = lstatSync(place);
  if (!found.isDirectory()) return found.size;
  return readdirSync(place).reduce((sum, name) => sum + bytesBelow(path.join(place, name)), 0);
}

/** These packages as they are installed here and all that they depend on, without what every Debian has. */
function debianPackages(names: readonly string[]): { count: number; bytes: number } {
  const format = [
    "Package",
    "Priority",
    "Essential",
    "Installed-Size",
    "Provides",
    "Pre-Depends",
    "Depends",
  ];
  const said = run("dpkg-query", [
    "-W",
    `-f=${format.map((field) => `\${${field}}`).join("\t")}\n`,
  ]);
  const packages = said.split("\n").map((line) => {
    const [name = "", priority = "", essential, kib, provides = "", before = "", depends = ""] =
      line.split("\t");
    const isBase = essential === "yes" || /^(required|important)$/.test(priority);
    const wants = `${before}, ${depends}`.split(",").map((any) => any.split("|").map(nameIn));
    return {
      name,
      isBase,
      bytes: (Number(kib) || 0) * 1024,
      provides: provides.split(",").map(nameIn),
      wants,
    };
  });
  const byName = new Map(
    packages.flatMap((one) => one.provides.map((name) => [name, one] as const)),
  );
  for (const one of packages) byName.set(one.name, one);
  const found = new Set(names.flatMap((name) => byName.get(name) ?? []));
  for (const { isBase, wants } of found) {
    if (isBase) continue;
    for (const alternatives of wants) {
      const there = alternatives.map((name) => byName.get(name)).find((one) => one !== undefined);
      if (there) found.add(there);
    }
  }
  const counted = [...found].filter(({ isBase }) => !isBase);
  return { count: counted.length, bytes: counted.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** Of `libc6 (>= 2.36)`, `python3:any`. */
const nameIn = (text: string): string => text.trim().split(/[ :(]/)[0] ?? "";

/**
 * What an administrator of a LAVA types once its packages are there: settings, migrate, user, token, device type, worker, the worker's token into its
 * configuration, device, dictionary, submit. Services are counted as started by the packages.
 */
const LAVA_COMMANDS = 10;

/**
 * Seconds and commands from nothing set up to the first green job of QEMU, all packages there. LAVA: its database made and migrated, services up,
 * worker online (`setUpSeconds`), and its first QEMU job. Pumice: the one command of README, its job.
 */
export function measureFirstJob(
  figures: Figures,
  lava?: { setUpSeconds: number; jobSeconds: number },
): void {
  const data = mkdtempSync(path.join(tmpdir(), "pumice-first-job-"));
  try {
    const began = Date.now();
    const options = ["--once", "--listen", "127.0.0.1:0", "--data", data];
    run(path.join(root, "scripts/quickstart"), options);
    figures.note("first_job", "pumice", (Date.now() - began) / 1000);
    figures.note("first_job_commands", "pumice", 1);
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
  if (!lava) return;
  figures.note("first_job", "lava", lava.setUpSeconds + lava.jobSeconds);
  figures.note("first_job_commands", "lava", LAVA_COMMANDS);
}

function run(program: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  if (status === 0) return stdout;
  throw new Error(
    `${program} ${args.slice(0, 3).join(" ")} ...: ${error?.message ?? stderr.slice(-1000)}`,
  );
}
