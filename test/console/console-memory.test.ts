import { setImmediate as nextTurn } from "node:timers/promises";
import v8 from "node:v8";
import vm from "node:vm";
import { expect, test } from "vitest";
import { Console } from "../../worker/console/console.ts";
import { KernelReports } from "../../worker/kernel/kernel-reports.ts";
import type { Transport } from "../../worker/console/transport.ts";

const WARM_UP = 160;
const PIECES = 1_600;
const MB = 1_000_000;

const unfinished = Buffer.from("no line ends ".repeat(5_041));
const lines = Buffer.from(
  "[   12.345678] usb 1-1: new high-speed USB device <LAVA_ WARNING\n".repeat(1_000),
);
const signals = Buffer.concat([lines, Buffer.from("<LAVA_SIGNAL_STARTTC one>\n")]);

test.each([
  ["somebody waits for what never comes", lines, /never there/g],
  ["somebody waits for what comes again and again", signals, /<LAVA_SIGNAL_(\S+) ([^>]+)>/g],
  ["nobody waits and no line ends", unfinished, undefined],
])("100 MB of a DUT's words leave nothing behind when %s", async (_, piece, pattern) => {
  let say = (_bytes: Uint8Array): void => {};
  const transport: Transport = {
    onData: (listener) => (say = listener),
    onEnd: () => {},
    write: async () => {},
    close: async () => {},
  };
  const stop = new AbortController();
  const console = new Console(transport, { log: () => 0 });
  const found = pattern ? countMatches(console, pattern, stop.signal) : Promise.resolve(0);
  const feed = async (pieces: number): Promise<void> => {
    for (let n = 0; n < pieces; n++) {
      say(piece);
      await nextTurn();
    }
  };
  await feed(WARM_UP);
  const before = heapInUse();
  await feed(PIECES);
  expect(heapInUse() - before).toBeLessThan(4 * MB);
  stop.abort(new Error("all was said"));
  // None was forgotten, either.
  expect(await found).toBe(piece === signals ? WARM_UP + PIECES : 0);
});

async function countMatches(console: Console, said: RegExp, signal: AbortSignal): Promise<number> {
  let count = 0;
  try {
    for (;;) {
      await console.expect({ said }, { timeoutSeconds: 600, signal });
      count++;
    }
  } catch {
    return count;
  }
}

/** Bytes, after all that can be is collected. */
test("what a kernel reports keeps nothing of the text that it was part of", () => {
  const reports = new KernelReports();
  const before = heapInUse();
  for (let n = 0; n < 300; n++) {
    const head = `[  ${n + 100}.000000] kmemleak: 1 new suspected memory leak`;
    const text = Buffer.from(`${"x".repeat(100_000)}\n${head}`).toString();
    reports.add(text.slice(text.indexOf("\n") + 1), n);
  }
  reports.take();
  expect(heapInUse() - before).toBeLessThan(4 * MB);
});

function heapInUse(): number {
  v8.setFlagsFromString("--expose-gc");
  (vm.runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}
