import { expect } from "vitest";
import { exampleJob } from "./real-lab.ts";
import { SHELL_BOARD } from "./shell-board.ts";

/** The example of the docs: a kernel in QEMU. */
export const smoke = exampleJob("qemu-smoke.yaml");
export const isBooting = ({ msg }: Record<string, unknown>): boolean =>
  /^start: \S+ login-action /.test(String(msg));
export const isTesting = ({ msg }: Record<string, unknown>): boolean =>
  String(msg).includes("<LAVA_SIGNAL_STARTRUN");

/** A smoke job whose first test takes `seconds` more, so that something can happen meanwhile. */
export const slowJob = (seconds: number): string =>
  withSteps([`sleep ${seconds}`, "lava-test-case slept --result pass"]);

/** A job that boots the guest's initramfs and runs the given steps. */
export function withSteps(steps: string[], kernelArguments?: string): string {
  const lines = steps.map((step) => `          - ${JSON.stringify(step)}`).join("\n");
  const head = smoke.slice(0, smoke.indexOf("- test:"));
  const booted = kernelArguments
    ? head.replace(/console=ttyS0/, `console=ttyS0 ${kernelArguments}`)
    : head;
  return `${booted}- test:
    timeout: {minutes: 5}
    definitions:
    - from: inline
      name: steps
      path: inline/steps.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: steps}
        run:
          steps:
${lines}
`;
}

/** The log is whole when the test's counter is, each line of it once and in order. */
export function expectWholeLog(records: Record<string, unknown>[], upTo: number): void {
  const counted = records
    .filter((record) => record["lvl"] === "target")
    .map((record) => /^count-(\d+)\s*$/.exec(String(record["msg"]))?.[1])
    .filter((n) => n !== undefined)
    .map(Number);
  expect(counted).toEqual(Array.from({ length: upTo }, (_, n) => n + 1));
  const jobs = records.filter(({ lvl, msg }) => {
    const result = msg as { definition?: string; case?: string };
    return lvl === "results" && result.definition === "lava" && result.case === "job";
  });
  expect(jobs).toHaveLength(1);
  expect(records.at(-1)).toBe(jobs[0]);
}

const COUNTING = [
  'i=0; while [ "$i" -lt 60 ]; do i=$((i+1)); echo "count-$i"; sleep 0.1; done',
  "lava-test-case counted --result pass",
];
/** Counts to 60 in six seconds. */
export const counting = withSteps(COUNTING);

/** A job of a lab's shell boards, whose test types this and is over when the last of it has come. */
const typing = (command: string, last: string): string => `job_name: typed
device_type: ${SHELL_BOARD.type}
visibility: public
timeouts: {job: {minutes: 10}, action: {minutes: 3}, connection: {minutes: 1}}
actions:
- boot:
    method: minimal
    reset: false
    parameters: {kernel-start-message: ''}
    prompts: ['${SHELL_BOARD.prompt}']
- test:
    interactive:
    - name: shell
      prompts: ['${SHELL_BOARD.prompt}']
      echo: discard
      script:
      - {name: typed, command: ${JSON.stringify(command)}, successes: [{message: ${last}}]}
`;

/** What `counting` does, on a shell board: no guest has to boot for a job that only has to be at work. */
export const countingOnBoard = typing(COUNTING[0] ?? "", "count-60");
/** It goes on until there is this file. */
export const countingUntil = (file: string): string =>
  typing(`${COUNTING[0]}; until [ -e ${file} ]; do sleep 0.1; done; echo go''es on`, "goes on");
export const isCounting = ({ lvl, msg }: Record<string, unknown>): boolean =>
  lvl === "target" && /^count-\d/.test(String(msg));
/** One that takes so many seconds. */
export const boardJob = (seconds = 0): string => typing(`sleep ${seconds}; echo sl''ept`, "slept");
