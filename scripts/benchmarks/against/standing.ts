import { spawnSync } from "node:child_process";
import { lstatSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { root } from "../../../test/support/real-lab.ts";
import type { Figures, Name } from "./figures.ts";
import { pssOf } from "./process-tree.ts";
import type { Side } from "./sides.ts";

/** What the processes hold now. */
export function measureMemory(
  figures: Figures,
  sides: readonly Side[],
  name: "server_memory" | "server_memory_after",
): void {
  for (const side of sides) figures.note(name, side.name, pssOf(side.server()));
  if (name === "server_memory_after") return;
  for (const side of sides) figures.note("worker_memory", side.name, pssOf(side.worker()));
}

const LAVA_PACKAGES = ["lava-server", "lava-dispatcher", "postgresql"];

/**
 * Bytes on the disk of server and worker. LAVA: what apt would install on a Debian that has nothing but its base (essential, required and important
 * packages), by the packages' own figures. Pumice: what `scripts/pumice` and the worker need, and Node.js as the one package.
 */
export function measureInstall(figures: Figures): void {
  const lava = debianPackages(LAVA_PACKAGES);
  note(figures, "install_size", bytesOfPumice() / 1e6, lava.bytes / 1e6);
  note(figures, "install_packages", 1, lava.count);
}

function note(figures: Figures, name: Name, ours: number, theirs: number): void {
  figures.note(name, "pumice", ours);
  figures.note(name, "lava", theirs);
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

/** What apt would install for these packages where there are none yet, without what every Debian has. */
function debianPackages(names: readonly string[]): { count: number; bytes: number } {
  const dir = mkdtempSync(path.join(tmpdir(), "pumice-no-packages-"));
  try {
    const status = path.join(dir, "status");
    writeFileSync(status, "");
    const simulated = run("apt-get", [
      ...["-s", "-o", `Dir::State::status=${status}`, "--no-install-recommends", "install"],
      ...names,
    ]);
    const all = [...simulated.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name!);
    const said = run("apt-cache", ["show", "--no-all-versions", ...all]);
    const sizes = new Map<string, number>();
    for (const text of said.split(/\n\n/)) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(text)?.[1];
      const name = field("Package");
      const isBase =
        field("Essential") === "yes" || /^(required|important)$/.test(field("Priority") ?? "");
      if (name !== undefined && !isBase)
        sizes.set(name, Number(field("Installed-Size") ?? 0) * 1024);
    }
    return { count: sizes.size, bytes: [...sizes.values()].reduce((sum, size) => sum + size, 0) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Seconds and commands from nothing set up to the first green job, all packages there. */
export function measureFirstJob(figures: Figures, lava: Side, lavaJobSeconds: number): void {
  const data = mkdtempSync(path.join(tmpdir(), "pumice-first-job-"));
  try {
    const began = Date.now();
    run(path.join(root, "scripts/quickstart"), [
      "--once",
      "--listen",
      "127.0.0.1:0",
      "--data",
      data,
    ]);
    note(figures, "first_job", (Date.now() - began) / 1000, lava.setUp.seconds + lavaJobSeconds);
    note(figures, "first_job_commands", 1, lava.setUp.commands + 1);
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
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
