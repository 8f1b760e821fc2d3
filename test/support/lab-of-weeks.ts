import type { DeviceView } from "#protocol/api.ts";
import type { RunnerReport } from "#protocol/worker-api.ts";
import { aJob } from "./builders.ts";
import type { EmbeddedLab } from "./embedded-lab.ts";
import { aGroupJob } from "./group-job.ts";
import { sampleLog, SampleLog } from "./sample-log.ts";

const TYPES = ["qemu", "beaglebone-black", "rk3399-rock-pi-4b", "dragonboard-845c"];
const WORKERS = ["rack-a", "rack-b", "home-lab"];
const PEOPLE = ["alice", "bob", "kernelci"];
const TESTS = ["boot next", "LTP syscalls", "kselftest net"];

/** What the lab has that its pages are asked for by name. */
export interface LabOfWeeks {
  readonly device: string;
  readonly worker: string;
  readonly deviceType: string;
  /** Jobs by what has become of them. */
  readonly complete: number;
  readonly failed: number;
  readonly running: number;
  readonly waiting: number;
  /** The first of a group that waits. */
  readonly group: number;
}

/** Fills a lab with what one of some weeks has: workers, devices, people, jobs that ended well and badly, run and wait. */
export async function fillLabOfWeeks(lab: EmbeddedLab, { jobs = 24 } = {}): Promise<LabOfWeeks> {
  const workers = new Map<string, { token: string; reports: RunnerReport[] }>();
  for (const name of WORKERS) workers.set(name, { token: await lab.addWorker(name), reports: [] });
  for (const [n, type] of [...TYPES, ...TYPES, ...TYPES].entries()) {
    const hostname = `${type.split("-")[0]}-0${1 + Math.floor(n / TYPES.length)}`;
    const worker = WORKERS[n % WORKERS.length]!;
    await lab.addDevice(hostname, { device_type: type, worker, description: `Shelf ${n + 1}` });
  }
  const tokens: string[] = [];
  for (const name of PEOPLE) tokens.push((await lab.addUser(name)).token);
  const syncAll = async () => {
    for (const { token, reports } of workers.values()) await lab.sync(token, reports);
  };
  const workerOf = async (id: number) => workers.get((await lab.job(id)).worker ?? "")!;

  async function submit(n: number, body: string): Promise<number> {
    const token = tokens[n % tokens.length]!;
    const { job_ids } = await lab.api<{ job_ids: [number] }>("/jobs", { token, body });
    await lab.settled();
    return job_ids[0];
  }
  const single = (n: number, deviceType = TYPES[n % TYPES.length]!) =>
    submit(n, aJob({ name: `${TESTS[n % TESTS.length]}, build ${n}`, deviceType }));

  /** The job's token, once it is Running. */
  async function begin(id: number): Promise<string> {
    const worker = await workerOf(id);
    const { start } = await lab.sync(worker.token, worker.reports);
    worker.reports.push({ job_id: id, state: "running" });
    await lab.sync(worker.token, worker.reports);
    return start.find(({ job_id }) => job_id === id)!.token;
  }
  async function run(id: number, n: number): Promise<void> {
    const token = await begin(id);
    const failure = n % 5 === 3;
    const start = new Date(lab.deps.system.now()).toISOString();
    const records = varied(sampleLog(start, { failure }), n);
    const lines = records.length;
    await lab.ship(id, token, 0, records);
    lab.pass(60 + 7 * n);
    const error_msg = "auto-login-action timed out after 120 seconds";
    const failed = { result: "fail", error_type: "Infrastructure", error_msg, lines } as const;
    await lab.finish(id, token, failure ? failed : { result: "pass", lines });
    const worker = await workerOf(id);
    worker.reports = worker.reports.filter(({ job_id }) => job_id !== id);
    lab.pass(3600);
    await syncAll();
  }
  /** As somebody does who looks after the devices that an infrastructure error has made Unknown. */
  async function mend(): Promise<void> {
    const { devices } = await lab.api<{ devices: DeviceView[] }>("/devices");
    for (const { hostname } of devices.filter((one) => one.health !== "Good"))
      await lab.api(`/devices/${hostname}/health`, { body: { health: "Good" } });
    await lab.settled();
  }

  await syncAll();
  await mend();
  const ended: number[] = [];
  for (let n = 0; n < jobs; n++) {
    ended.push(await single(n));
    await run(ended.at(-1)!, n);
    await mend();
  }
  await lab.api("/groups/kernel", { method: "PUT", body: { members: ["alice", "bob"] } });
  const query = { conditions: "health__exact__Complete", published: true };
  await lab.api("/queries/admin/smoke", { method: "PUT", body: query });
  const running = await single(100, "qemu");
  const token = await begin(running);
  const log = new SampleLog(new Date(lab.deps.system.now()).toISOString());
  log
    .start("1", "deploy-image")
    .end(2000)
    .start("2", "boot-qemu")
    .add("target", "Linux version 6.12");
  await lab.ship(running, token, 0, log.records);
  for (const n of [101, 102]) await begin(await single(n, "qemu"));
  const waiting = await single(103, "qemu");
  const group = await submit(104, aGroupJob());
  const names = { device: "qemu-01", worker: "rack-a", deviceType: "qemu" };
  return { ...names, complete: ended[0]!, failed: ended[3]!, running, waiting, group };
}

/** One test fails now and then, another since a change, a third was mended. */
function varied<T extends Record<string, unknown>>(records: readonly T[], n: number): T[] {
  const fails: Record<string, boolean> = {
    "systemd-running": n < 9,
    "dns-resolves": n % 7 === 2 || n % 7 === 4,
    fsck: n > 17,
  };
  return records.map((record) => {
    const msg = record["msg"] as { case?: string } | undefined;
    const isFail = fails[msg?.case ?? ""];
    if (isFail === undefined) return record;
    return { ...record, msg: { ...msg, result: isFail ? "fail" : "pass" } };
  });
}
