import { writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { readRunner } from "../../worker/host/runner-claim.ts";
import { jobDirectory } from "../../worker/host/job-directory.ts";
import { realLab, type RealLab } from "../../test/support/real-lab.ts";
import type { Subject } from "./worker-subject.ts";

const LOOK_MS = 20;
export const FLOOD_WORDS = "of the flood: a line as long as what a kernel says when it boots";

/**
 * A DUT that answers to what is typed: `flood N` with as many numbered lines as fast as it can, `talk` with twenty lines a
 * second until its console is closed. A program on a pseudo-terminal, as `telnet` or `ssh` of a dictionary.
 */
const DUT = `printf 'Linux version 6.12\\ndut# '
while read -r line; do
  case "$line" in
    "flood "*) seq -f '%.0f ${FLOOD_WORDS}' 1 "\${line#flood }" | cat ;;
    talk) while printf '[ 1.234567] a word now and then\\n'; do sleep 0.05; done ;;
  esac
  printf 'dut# '
done
`;

/** A real control plane and a worker of the given form with some such DUTs, each process by itself. */
export async function workerLab(subject: Subject, devices: number): Promise<RealLab> {
  const lab = await realLab({ devices: 0, worker: subject.command });
  const script = path.join(lab.dir, "dut.sh");
  writeFileSync(script, DUT);
  for (let n = 1; n <= devices; n++) {
    await lab.api("PUT", `/devices/dut-0${n}`, {
      device_type: "talker",
      worker: "bench",
      configuration: configuration(`sh ${script}`),
    });
  }
  return lab;
}

/** A job in which one line is typed to the DUT, and the end of the answer awaited. */
export const typingJob = (line: string): string => `job_name: bench
device_type: talker
visibility: public
timeouts: {job: {minutes: 15}, action: {minutes: 10}, connection: {minutes: 5}}
actions:
- boot: {method: minimal, reset: false, prompts: ['dut# ']}
- test:
    interactive:
    - name: talker
      prompts: ['dut# ']
      script:
      - command: ${line}
        name: typed
`;

/** The runner's process, once its job has begun. */
export async function runnerOf(lab: RealLab, id: number): Promise<number> {
  for (;;) {
    const pid = readRunner(jobDirectory(lab.workDir, id).runner)?.pid;
    if (pid !== undefined) return pid;
    const { state, error_msg } = await lab.job(id);
    if (state === "Finished") throw new Error(`job ${id} is over already: ${error_msg}`);
    await pause(LOOK_MS);
  }
}

/** Of a device that has a console, and nothing else. */
export const configuration = (connect: string): string => `commands:
  connections:
    uart0: {connect: '${connect}', tags: [primary]}
actions:
  deploy: {methods: {image: null}}
  boot: {connections: {serial: null}, methods: {minimal: null}}
parameters: {}
constants: {kernel-start-message: Linux version, default-shell-prompt: 'dut# '}
timeouts: {actions: {}, connections: {}}
`;
