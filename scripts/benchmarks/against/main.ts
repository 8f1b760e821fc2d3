import { arch, cpus, loadavg, release, totalmem } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { readCommandLine } from "../../command-line.ts";
import { startFileShelf } from "../../../test/beds/file-shelf.ts";
import { stockJob } from "../../../test/compat/stock-bench.ts";
import { guestDir } from "../../../test/support/real-lab.ts";
import { noLava } from "../../../test/support/real-lava.ts";
import { FLOOD_LINES } from "./dut.ts";
import { Figures, table } from "./figures.ts";
import { measureConsole, measureQemu, measureTrivial } from "./jobs.ts";
import { measureIntake, measureRequests } from "./requests.ts";
import { lavaSide, pumiceSide, type Side } from "./sides.ts";
import { measureFirstJob, measureInstall, measureMemory } from "./standing.ts";

const USAGE = `usage: scripts/bench --against-lava [--json] [--runs N] [--quick] [--only PART,...]

The same work, in turns, on a Pumice and on a LAVA that is brought up for it from Debian's packages (in namespaces and a folder of its own, on
loopback; it is gone afterwards, also after Ctrl-C). Both are asked by LAVA's REST API, with one client; jobs, device and DUT are the same. Needs root
and the packages lava-server, lava-dispatcher, postgresql, gunicorn and qemu-system-x86. About 15 minutes on two cores.

  --json     exactly one JSON object on stdout: {machine, ratios, pumice, lava}; a ratio is how many times better Pumice is, by medians
  --runs N   runs of each part (5)
  --quick    one short run of all that takes no minutes: for a test of this program, not for figures
  --only     parts: memory, trivial, qemu, console, intake, requests, install, first-job

Exit code: 0 measured, 1 a part could not be, 2 wrong usage. A target that is missed is said, and is no failure.`;

const PARTS = [
  "memory",
  "trivial",
  "qemu",
  "console",
  "intake",
  "requests",
  "install",
  "first-job",
];

const { values: options } = readCommandLine("bench", () =>
  parseArgs({
    options: {
      "against-lava": { type: "boolean" },
      json: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      runs: { type: "string", default: "5" },
      only: { type: "string", default: PARTS.join(",") },
      help: { type: "boolean", short: "h", default: false },
    },
  }),
);
const only = options.only.split(",");
const runs = options.quick ? 1 : Number(options.runs);
const unknown = only.filter((name) => !PARTS.includes(name));
if (options.help || unknown.length > 0 || !Number.isInteger(runs) || runs < 1) {
  if (unknown.length > 0) console.error(`bench: no such part: ${unknown.join(", ")}`);
  console.log(USAGE);
  process.exit(options.help ? 0 : 2);
}
const missing = noLava();
if (missing !== undefined || process.env["PUMICE_TEST_LAVA"]) {
  console.error(`bench: can't run a LAVA here: ${missing ?? "PUMICE_TEST_LAVA is set, and it starts one of its own"}.
As root on Debian 12: apt-get install --no-install-recommends postgresql, start it once, then lava-server lava-dispatcher gunicorn; or see which
figures docs/figures.md has.`);
  process.exit(1);
}

const closers: (() => Promise<void>)[] = [];
const closeAll = async (): Promise<void> => {
  for (const close of closers.splice(0).reverse()) await close().catch(say);
};
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  // Not once: a second must not end what cleans up after the first.
  process.on(
    signal,
    () => void closeAll().finally(() => process.exit(signal === "SIGINT" ? 130 : 143)),
  );
}
try {
  const { machine, figures } = await measure();
  const report = figures.report();
  if (options.json) console.log(JSON.stringify({ machine, ...report }, undefined, 2));
  else
    console.log(
      `${Object.entries(machine)
        .map(([name, value]) => `${name}: ${value}`)
        .join("\n")}\n\n${table(report)}`,
    );
} catch (error) {
  say(error);
  process.exitCode = 1;
} finally {
  await closeAll();
}

async function measure() {
  const figures = new Figures();
  const loadBefore = loadavg()[0]!;
  const has = (part: string): boolean => only.includes(part);
  say("Bringing up LAVA (a minute or two) and Pumice ...");
  const pumice = await opened(pumiceSide());
  const lava = await opened(lavaSide());
  const sides: Side[] = [pumice, lava];
  const quick = options.quick;
  if (has("trivial")) {
    say("Trivial jobs ...");
    await measureTrivial(figures, sides, runs, quick ? 0 : Math.min(runs, 3));
  }
  if (has("memory")) measureMemory(figures, sides, "server_memory");
  let lavaJobSeconds = NaN;
  if (has("qemu") || has("first-job")) {
    say("QEMU jobs ...");
    lavaJobSeconds = (await measureQemu(figures, sides, quick ? 0 : runs, await qemuJob())).lava!;
  }
  if (has("console")) {
    say("Console ...");
    const lines = quick ? { pumice: 2000, lava: 500 } : { pumice: FLOOD_LINES, lava: 10_000 };
    await measureConsole(figures, sides, Math.min(runs, 3), lines);
  }
  if (has("intake")) {
    say("Log intake ...");
    await measureIntake(figures, sides, { runs, requests: 0, intakeLines: quick ? 2000 : 50_000 });
  }
  if (has("requests")) {
    say("Requests ...");
    await measureRequests(figures, sides, { runs, requests: quick ? 8 : 104, intakeLines: 0 });
  }
  if (has("memory")) measureMemory(figures, sides, "server_memory_after");
  if (has("install")) measureInstall(figures);
  if (has("first-job")) {
    say("A first job, from nothing ...");
    measureFirstJob(figures, lava, lavaJobSeconds);
  }
  const machine = {
    processors: `${cpus().length} x ${cpus()[0]?.model.trim()}, ${arch()}`,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    system: `Linux ${release()}`,
    load_before: loadBefore,
    load_after: loadavg()[0]!,
    runs,
    pumice: pumice.about,
    lava: lava.about,
  };
  return { machine, figures };
}

async function opened(side: Promise<Side>): Promise<Side> {
  const open = await side;
  closers.push(() => open.close());
  return open;
}

/** A guest of Debian's kernel and busybox, which both fetch from the same place. */
async function qemuJob(): Promise<string> {
  const guest = guestDir();
  const file = (name: string): [string, string] => [name, path.join(guest, name)];
  const shelf = await startFileShelf(
    Object.fromEntries([file("vmlinuz"), file("initramfs.cpio.gz")]),
  );
  closers.push(() => shelf.close());
  return stockJob(shelf.url, ["uname -a", "lava-test-case ok --result pass"]);
}

function say(what: unknown): void {
  console.error(
    `${Math.round(performance.now() / 1000)} s:`,
    what instanceof Error ? `bench: ${what.message}` : String(what),
  );
}
