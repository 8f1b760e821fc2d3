import type { FinishRequest } from "#protocol/worker-api.ts";
import { runningJob } from "./browser-session.ts";
import { aJob } from "./builders.ts";
import type { EmbeddedLab } from "./embedded-lab.ts";
import { aGroupJob, startGroup } from "./group-job.ts";
import { sampleLog, SampleLog } from "./sample-log.ts";

/** Ids of jobs in all states that a job's page shows. */
export interface SampleJobs {
  /** Its login never comes; annotated by nobody. */
  failed: number;
  /** Two of the same description but for a number. */
  similar: number[];
  /** A part of it failed and passed at the second attempt; annotated. */
  retried: number;
  /** 2,500 test cases, each hundredth fails. */
  many: number;
  /** Of a multinode group, Complete. */
  member: number;
  /** By a person while it ran. */
  canceled: number;
  running: number;
  /** For a device that another job has. */
  waiting: number;
}

const START = "2026-03-01T12:00:00Z";
const DICTIONARY = "{% extends 'qemu.jinja2' %}\n";
const ERROR = "auto-login-action timed out after 120 seconds";

/** Fills a lab that is empty. */
export async function sampleJobs(lab: EmbeddedLab): Promise<SampleJobs> {
  const worker = await lab.addWorker();
  await putDevice(lab, "qemu-01", DICTIONARY);
  const similar = [];
  for (const n of [1, 2]) {
    similar.push(await endedJob(lab, worker, `nightly boot of v6.${n}`, sampleLog(START)));
  }
  const records = sampleLog(START, { failure: true });
  const line = records.findLastIndex(({ lvl, msg }) => lvl === "error" && msg === ERROR);
  const failed = await endedJob(lab, worker, "nightly boot of v6.3", records, {
    result: "fail",
    error_type: "Job",
    error_msg: ERROR,
    evidence: { pattern: "login:", line },
  });
  const passed = { action: "uboot-retry", level: "2", attempt: 2, of: 3 };
  const retried = await endedJob(lab, worker, "u-boot from tftp", retriedLog(), {
    result: "pass",
    retries: 1,
    passed_on_retry: [passed],
  });
  await lab.api(`/jobs/${retried}/annotations`, {
    body: { text: "The plug of this board is loose; see the photo.", cause: "lab" },
  });
  const many = await endedJob(lab, worker, "conformance", manyResults());
  await putDevice(lab, "qemu-02", DICTIONARY);
  const member = await endedGroup(lab, worker);
  await lab.api("/devices/qemu-02/health", { body: { health: "Maintenance" } });
  lab.pass(60);
  await putDevice(lab, "qemu-01", `${DICTIONARY}{# changed-later #}{% set memory = 333 %}\n`);
  const canceled = await endedJob(lab, worker, "not wanted", failingLog(), {
    result: "fail",
    error_type: "Canceled",
    error_msg: "canceled",
  });
  const { id: running, token } = await runningJob(lab, worker, { name: "a long soak test" });
  await lab.ship(running, token, 0, sampleLog(START).slice(0, 60));
  const waiting = await lab.submit(aJob({ name: "waits for its turn" }));
  return { failed, similar, retried, many, member, canceled, running, waiting };
}

async function putDevice(lab: EmbeddedLab, hostname: string, dictionary: string): Promise<void> {
  await lab.api(`/devices/${hostname}`, {
    method: "PUT",
    body: { device_type: "qemu", worker: "bench", dictionary },
  });
  await lab.settled();
}

async function endedJob(
  lab: EmbeddedLab,
  worker: string,
  name: string,
  records: object[],
  end: Omit<FinishRequest, "lines"> = { result: "pass" },
): Promise<number> {
  const lines = ["metadata: {build: 4711, git: https://git.test/linux}"];
  const { id, token } = await runningJob(lab, worker, { name, lines });
  for (let from = 0; from < records.length; from += 1000) {
    await lab.ship(id, token, from, records.slice(from, from + 1000));
  }
  lab.pass(90 + 7 * id);
  if (end.error_type === "Canceled") await lab.api(`/jobs/${id}/cancel`, { method: "POST" });
  await lab.finish(id, token, { ...end, lines: records.length });
  return id;
}

async function endedGroup(lab: EmbeddedLab, worker: string): Promise<number> {
  const members = await startGroup(lab, aGroupJob(), [worker]);
  const records = sampleLog(START);
  lab.pass(9);
  for (const { id, token } of members) {
    await lab.ship(id, token, 0, records);
    await lab.finish(id, token, { result: "pass", lines: records.length });
  }
  await lab.sync(worker);
  return members[0]!.id;
}

/** An action that was cut off, as a runner says it. */
function failingLog(): object[] {
  const log = new SampleLog(START).start("1", "lava-test-retry").start("1.1", "lava-test-shell");
  log.add("error", "lava-test-shell: canceled").end(4000, "canceled").end(0, "canceled");
  return log.records;
}

/** A bootloader that is silent at first. */
function retriedLog(): object[] {
  const log = new SampleLog(START).start("1", "tftp-deploy").end(2100).start("2", "uboot-retry");
  for (const failure of ["u-boot-action: no prompt after 30 seconds", undefined]) {
    log.start("2.1", "u-boot-action").start("2.1.1", "reset-device").end(800);
    log.add("target", "", "U-Boot 2024.01 (Jan 09 2024)").start("2.1.2", "bootloader-interrupt");
    log.end(failure === undefined ? 1500 : 30_000, failure).end(10, failure);
  }
  log.end().start("3", "lava-test-retry").result("0_smoke", "boots", "pass").end(4000);
  return log.records;
}

function manyResults(): object[] {
  const log = new SampleLog(START).start("1", "lava-test-shell");
  for (let n = 0; n < 2500; n++) {
    log.pass(20).result("0_ltp", `case-${n}`, n % 100 === 0 ? "fail" : "pass");
  }
  return log.end().records;
}
