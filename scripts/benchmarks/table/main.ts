import { loadavg } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { numberOf, readCommandLine, refuse } from "../../command-line.ts";
import { startFileShelf } from "../../../test/beds/file-shelf.ts";
import { stockJob } from "../../../test/compat/stock-bench.ts";
import { guestDir } from "../../../test/support/real-lab.ts";
import { noLava } from "../../../test/support/real-lava.ts";
import { described, machine } from "../machine.ts";
import { namedParts } from "../part-names.ts";
import { FLOOD_LINES } from "./dut.ts";
import { Figures, table } from "./figures.ts";
import { measureConsole, measureQemu, measureTrivial } from "./jobs.ts";
import { measureIntake, measureRequests } from "./requests.ts";
import { lavaSide, pumiceSide, type Side } from "./sides.ts";
import { measureFirstJob, measureIdleAgent, measureInstall, measureServer } from "./standing.ts";

const USAGE = `usage: scripts/bench [--against-lava] [--json] [--runs N] [--quick] [--only PART,...]

What a lab on this machine costs and how fast it is: pumice serve, a worker, a DUT that is a local shell and one that is QEMU, by real jobs and by
requests of LAVA's REST API and XML-RPC; one table, medians and spread. Some five minutes on two cores.

  --against-lava  the same work, in turns, on a LAVA that is brought up for it from Debian's packages (in namespaces and a folder of its own, on loopback;
                  it is gone afterwards, also after Ctrl-C), and how many times better Pumice is. One client, and jobs, devices and DUTs are the
                  same. Needs root and the packages lava-server, lava-dispatcher, postgresql, gunicorn. Some fifteen minutes
  --json          exactly one JSON object on stdout: {machine, pumice}, beside a LAVA {machine, ratios, pumice, lava}; ratios by medians
  --runs N        runs of each part (5)
  --quick         one short run of all that takes no minutes: for a test of this program, not for figures
  --only          parts: trivial (the shortest job), memory, qemu, console, intake (log lines into the server), requests (submissions, lists, a job,
                  its page), install (sizes), first-job (scripts/quickstart --once)

${namedParts()}

Exit code: 0 measured, 1 a part could not be, 2 wrong usage. A target that is missed is said, and is no failure.`;

const PARTS = "trivial,memory,qemu,console,intake,requests,install,first-job";

/** A minute. */
const IDLE_LOOKS = 12;
const ENOUGH = { warmUpSeconds: 3, seconds: 4, listed: 300, reads: { pumice: 200, lava: 30 } };
const FEW = { warmUpSeconds: 0.2, seconds: 0.5, listed: 10, reads: { pumice: 8, lava: 8 } };

const { values: options } = readCommandLine("bench", () =>
  parseArgs({
    options: {
      "against-lava": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      runs: { type: "string", default: "5" },
      only: { type: "string", default: PARTS },
      help: { type: "boolean", short: "h", default: false },
    },
  }),
);
if (options.help) {
  console.log(USAGE);
  process.exit(0);
}
const only = options.only.split(",");
const unknown = only.filter((name) => !PARTS.split(",").includes(name));
if (unknown.length > 0) refuse("bench", `no such part: ${unknown.join(", ")}`);
const runs = options.quick ? 1 : Math.trunc(numberOf("bench", "runs", options.runs, 1));
const isBeside = options["against-lava"];
const missing = isBeside ? noLava() : undefined;
if (missing !== undefined || (isBeside && process.env["PUMICE_TEST_LAVA"])) {
  console.error(`bench: can't run a LAVA here: ${missing ?? "PUMICE_TEST_LAVA is set, and it starts one of its own"}.
As root on Debian 12: apt-get install --no-install-recommends postgresql, start it once, then lava-server lava-dispatcher gunicorn; or see which
figures docs/figures.md has. Without --against-lava it measures Pumice alone.`);
  process.exit(1);
}

const closers: (() => Promise<void>)[] = [];
let closing: Promise<void> | undefined;
/** Whoever asks again waits for what has begun. */
const closeAll = (): Promise<void> =>
  (closing ??= (async () => {
    for (const close of closers.splice(0).reverse()) await close().catch(say);
  })());
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  // Not once: a second must not end what cleans up after the first.
  process.on(
    signal,
    () => void closeAll().finally(() => process.exit(signal === "SIGINT" ? 130 : 143)),
  );
}
try {
  const { facts, report } = await measure();
  if (options.json) console.log(JSON.stringify({ machine: facts, ...report }, undefined, 2));
  else console.log(`${described(facts)}\n\n${table(report)}`);
} catch (error) {
  say(error);
  process.exitCode = 1;
} finally {
  await closeAll();
}

async function measure() {
  const facts = machine();
  const figures = new Figures();
  say(`Bringing up ${isBeside ? "LAVA (a minute or two) and " : ""}Pumice ...`);
  const pumice = await opened(pumiceSide());
  const lava = isBeside ? await opened(lavaSide()) : undefined;
  await measureParts(figures, pumice, lava);
  const abouts = { pumice: pumice.about, ...(lava ? { lava: lava.about } : {}) };
  return {
    facts: { ...facts, load_after: loadavg()[0]!, runs, ...abouts },
    report: figures.report(),
  };
}

async function measureParts(figures: Figures, pumice: Side, lava: Side | undefined) {
  const { quick } = options;
  const sides = lava ? [pumice, lava] : [pumice];
  const has = (part: string): boolean => only.includes(part);
  if (has("trivial")) {
    say("Trivial jobs ...");
    await measureTrivial(figures, sides, runs, quick || !lava ? 0 : Math.min(runs, 3));
  }
  if (has("memory")) {
    measureServer(figures, sides, "server_memory");
    say("An idle worker ...");
    await measureIdleAgent(figures, sides, quick ? 1 : IDLE_LOOKS);
  }
  let lavaJobSeconds: number | undefined;
  if (has("qemu") || (lava && has("first-job"))) {
    say("QEMU jobs ...");
    const measured = await measureQemu(figures, sides, has("qemu") ? runs : 0, await qemuJob());
    lavaJobSeconds = measured.lava;
  }
  if (has("console")) {
    say("Console ...");
    const lines = quick ? { pumice: 50_000, lava: 4000 } : { pumice: FLOOD_LINES, lava: 10_000 };
    await measureConsole(figures, sides, Math.min(runs, 3), lines);
  }
  if (has("intake")) {
    say("Log intake ...");
    const few = { pumice: 2000, lava: 2000 };
    await measureIntake(figures, sides, runs, quick ? few : { pumice: 50_000, lava: 20_000 });
  }
  if (has("requests")) {
    say("Requests ...");
    await measureRequests(figures, sides, { runs, ...(quick ? FEW : ENOUGH) });
  }
  if (has("memory")) measureServer(figures, sides, "server_memory_after");
  if (has("install")) measureInstall(figures, lava !== undefined);
  if (has("first-job")) {
    say("A first job, from nothing ...");
    const { setUpSeconds = NaN } = lava ?? {};
    const beside = lavaJobSeconds && { setUpSeconds, jobSeconds: lavaJobSeconds };
    measureFirstJob(figures, beside || undefined);
  }
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
