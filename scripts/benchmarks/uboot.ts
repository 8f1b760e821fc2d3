import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { startUboot, type UbootBed } from "../../test/beds/uboot.ts";
import { methodPage } from "../../test/support/method-page.ts";
import { pageOnBed } from "../../test/support/page-on-bed.ts";
import { runOnBed, type BedRan } from "../../test/support/run-on-bed.ts";
import type { Row } from "./main.ts";

/**
 * Runs the job of the page boot-u-boot (TFTP, ramdisk with overlay, a test) on U-Boot in QEMU, and divides its time: the DUT's
 * own is from what was typed until the last it said to that; the power commands are the lab's; the rest is ours.
 */
export async function measureUboot({ runs }: { runs: number }): Promise<Row[]> {
  const folder = mkdtempSync(path.join(tmpdir(), "pumice-bench-uboot-"));
  const bed = await startUboot(folder, console.error, "arm64");
  const all: Record<string, number>[] = [];
  try {
    for (let n = 0; n < runs; n++) all.push(await oneJob(bed));
  } finally {
    await bed.close();
    rmSync(folder, { recursive: true, force: true });
  }
  return Object.keys(all[0] ?? {}).map((name) => ({
    name,
    unit: "ms",
    values: all.map((times) => times[name] ?? NaN),
  }));
}

async function oneJob(bed: UbootBed): Promise<Record<string, number>> {
  const page = methodPage("boot-u-boot");
  const tap = await tapConsole(bed.consolePort);
  try {
    const dictionary = pageOnBed(page.dictionary, bed);
    const ran = await runOnBed({
      job: page.job.replaceAll("http://files.example.com/", bed.files),
      dictionary: dictionary.replace(`:${bed.consolePort}'`, `:${tap.port}'`),
      dispatcher: bed.dispatcher,
    });
    // From the runner's first word to its last: the ticket is the server's work.
    const [first, last] = [ran.records[0]?.dt, ran.records.at(-1)?.dt].map((dt) =>
      Date.parse(dt ?? ""),
    );
    const whole = (last ?? NaN) - (first ?? NaN);
    if (ran.outcome.result !== "pass") throw new Error(`the job failed:\n${ran.text}`);
    const own = tap.dutMs();
    const power = powerMs(ran);
    return {
      "U-Boot arm64 job, ramdisk by TFTP": whole,
      "of that the DUT's own time": own,
      "of that the lab's power commands": power,
      "overhead beyond those": whole - own - power,
    };
  } finally {
    tap.close();
  }
}

/** From the start of each power command to its result. */
function powerMs({ records }: BedRan): number {
  let total = 0;
  let begun: number | undefined;
  for (const { dt, msg } of records) {
    const text = String(msg);
    if (text.startsWith("Calling: ") && text.includes("virtual-board")) begun = Date.parse(dt);
    if (begun !== undefined && /^Returned \d/.test(text)) {
      total += Date.parse(dt) - begun;
      begun = undefined;
    }
  }
  return total;
}

interface Tap {
  readonly port: number;
  /** Milliseconds in which the DUT was busy with what it was told. */
  dutMs(): number;
  close(): void;
}

/** A console in between, which notes when something was typed and when the DUT said something. */
async function tapConsole(consolePort: number): Promise<Tap> {
  let total = 0;
  /** Since when the DUT has to do, and until when it is known to have been busy. */
  let since: number | undefined;
  let until = 0;
  const settle = (): void => {
    if (since !== undefined) total += until - since;
    since = undefined;
  };
  const server = createServer((near) => {
    const far = connect({ port: consolePort, host: "127.0.0.1", noDelay: true });
    near.setNoDelay(true);
    near.on("data", (typed) => {
      settle();
      since = until = performance.now();
      far.write(typed);
    });
    far.on("data", (said) => {
      until = performance.now();
      // It was reset: that it speaks is the first that is heard of it.
      since ??= until;
      near.write(said);
    });
    near.on("close", () => far.destroy());
    far.on("close", () => near.destroy());
    near.on("error", () => {});
    far.on("error", () => {});
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    dutMs: () => {
      settle();
      return total;
    },
    close: () => void server.close(),
  };
}
