import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../support/loopback-ports.ts";
import { recorded } from "../support/recorded-calls.ts";
import {
  hasLavaWorker,
  stockBench,
  stockDevice,
  stockJob,
  type StockBench,
} from "./stock-bench.ts";

const why = hasLavaWorker
  ? "the file in /etc that names a worker's coordinator is the test's own only for root (unshare -m)"
  : "no /usr/bin/lava-worker (Debian's lava-dispatcher)";
const isAble = hasLavaWorker && process.getuid?.() === 0;
if (!isAble) console.log(`skipped: ${why}`);

/** A copy of /etc with this in it is the /etc of what comes after, and of nobody else. */
const WITH_ETC = `cp -a /etc/. "$1/" && mkdir -p "$1/lava-coordinator" &&
  cp "$2" "$1/lava-coordinator/lava-coordinator.conf" && mount --bind "$1" /etc && shift 2 && exec "$@"`;

const SERVER = [
  "lava-sync booted",
  "lava-send address ip=10.0.0.7 name=server",
  "lava-wait-all done client",
  "lava-test-case heard --result pass",
];
const CLIENT = [
  "lava-sync booted",
  "lava-wait address",
  'lava-test-case address --result "$(grep -q 10.0.0.7 /tmp/lava_multi_node_cache.txt && echo pass || echo fail)"',
  "lava-send done",
];

/** A group of two roles, each with the job of a single device. */
function groupJob(shelf: string): string {
  const [head = "", ours = ""] = stockJob(shelf, SERVER).split("actions:\n");
  const [, theirs = ""] = stockJob(shelf, CLIENT).split("actions:\n");
  const ofRole = (text: string, role: string) =>
    text.replace(/^(- (?:deploy|boot|test):)$/gm, `$1\n    role: [${role}]`);
  const role = "{device_type: qemu, count: 1, context: {arch: x86_64}}";
  return `${head.replace(/^(device_type|context):.*\n/gm, "")}protocols:
  lava-multinode:
    timeout: {minutes: 3}
    roles:
      server: ${role}
      client: ${role}
actions:
${ofRole(ours, "server")}${ofRole(theirs, "client")}`;
}

describe.skipIf(!isAble)("two stock lava-workers", () => {
  let bench: StockBench;
  beforeAll(async () => {
    const port = await freePort();
    bench = await stockBench(["--coordinator", `127.0.0.1:${port}`]);
    const conf = path.join(bench.workDir, "coordinator.conf");
    const delays = { blocksize: 4096, poll_delay: 1 };
    writeFileSync(conf, JSON.stringify({ port, coordinator_hostname: "127.0.0.1", ...delays }));
    for (const name of ["stock", "stock-2"]) {
      const folder = path.join(bench.workDir, name);
      const etc = path.join(bench.workDir, `${name}-etc`);
      for (const dir of [folder, etc]) mkdirSync(dir, { recursive: true });
      const { token } =
        name === "stock"
          ? { token: bench.workerToken }
          : await bench.api<{ token: string }>("POST", "/workers", { name });
      const before = ["unshare", "--mount", "sh", "-c", WITH_ETC, "sh", etc, conf];
      bench.startWorker(["--name", name, "--token", token], folder, before);
    }
    await bench.api("PUT", "/devices/qemu-02", stockDevice("stock-2"));
  });
  afterAll(() => bench.close());

  test("run a group of two roles to Complete, which syncs, sends and waits", async () => {
    const { job_ids: ids } = await bench.api<{ job_ids: [number, number] }>(
      ...(["POST", "/jobs", groupJob(bench.shelf), "application/yaml"] as const),
    );
    const jobs = [await bench.finished(ids[0]), await bench.finished(ids[1])];
    expect(jobs.map(({ health, worker }) => `${worker} ${health}`).toSorted()).toEqual([
      "stock Complete",
      "stock-2 Complete",
    ]);
    const cases = async (id: number) =>
      (await bench.results(id))
        .filter(({ suite }) => suite === "0_smoke")
        .map(({ name, result }) => `${name} ${result}`);
    const [server, client] = jobs[0]?.role === "server" ? ids : ids.toReversed();
    expect(await cases(server!)).toEqual([
      ...["multinode-sync-booted pass", "multinode-send-address pass"],
      ...["multinode-wait_all-done pass", "heard pass"],
    ]);
    expect(await cases(client!)).toEqual([
      ...["multinode-sync-booted pass", "multinode-wait-address pass"],
      ...["address pass", "multinode-send-done pass"],
    ]);
    recorded("Stock workers", "multinode jobs");
  });
});
