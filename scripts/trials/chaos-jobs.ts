import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { exampleJob } from "../../test/support/real-lab.ts";
import { guestDevice, guestJob, standInGuest } from "../../test/support/stand-in-guest.ts";
import type { JobView, LogPage, ResultView } from "#protocol/api.ts";
import type { Client } from "../../control-plane/cli/client.ts";

/** What each DUT says and reports in a job, once and in this order. */
const CASES = 25;

/** Devices that are programs of this machine: their boards boot, count and report, over some seconds. */
export function standInBoard(dir: string): {
  configuration: string;
  job: (more: string) => string;
} {
  const folder = path.join(dir, "boards");
  mkdirSync(folder, { recursive: true });
  const boot = `run_tests() {
  echo '<LAVA_SIGNAL_STARTRUN 0_demo 7_1.1.2.1>'
  n=1
  while [ $n -le ${CASES} ]; do
    echo "the board counts $n"
    echo "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=case-$n RESULT=pass>"
    sleep 0.1
    n=$((n + 1))
  done
  echo '<LAVA_SIGNAL_ENDRUN 0_demo 7_1.1.2.1>'
}
echo 'Linux version 9.9'
shell`;
  const configuration = guestDevice(standInGuest(folder, boot));
  const kernel = path.join(folder, "kernel");
  writeFileSync(kernel, "a kernel");
  return {
    configuration,
    job: (more) => `device_type: stand-in\n${more}${guestJob(kernel, { withTest: true })}`,
  };
}

export const qemuJob = (): string => exampleJob("qemu-smoke.yaml");

/** What is wrong with a job that has ended: whatever happened to it, each record of it is there once. */
export async function faultsOfJob(client: Client, job: JobView): Promise<string[]> {
  const { id, state, health, error_type, error_msg = "" } = job;
  if (state !== "Finished") return [`job ${id} is ${state}`];
  const wrong: string[] = [];
  if (error_type === "Bug") wrong.push(`job ${id} ended by a bug of Pumice: ${error_msg}`);
  if (job.device_type !== "stand-in") return wrong;
  const counted: number[] = [];
  for (let start = 0, isOver = false; !isOver;) {
    const page: LogPage = await client.json("GET", `/jobs/${id}/log?start=${start}`);
    for (const { msg } of page.records) {
      const n = /^the board counts (\d+)/.exec(typeof msg === "string" ? msg : "")?.[1];
      if (n !== undefined) counted.push(Number(n));
    }
    start += page.records.length;
    isOver = page.complete || page.records.length === 0;
  }
  const inOrder = counted.every((n, at) => n === at + 1);
  if (!inOrder) wrong.push(`the log of job ${id} counts ${counted.join(" ")}`);
  const { results } = await client.json<{ results: ResultView[] }>(
    "GET",
    `/jobs/${id}/results?limit=1000`,
  );
  const cases = results.filter(({ suite }) => suite === "0_demo").map(({ name }) => name);
  if (new Set(cases).size < cases.length) wrong.push(`a result of job ${id} is there twice`);
  if (health !== "Complete") return wrong;
  if (counted.length !== CASES)
    wrong.push(`job ${id} is Complete, its log has ${counted.length} of ${CASES} lines`);
  if (cases.length !== CASES)
    wrong.push(`job ${id} is Complete with ${cases.length} of ${CASES} results`);
  return wrong;
}
