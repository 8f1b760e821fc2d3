import { afterAll, beforeAll, expect, test } from "vitest";
import { runOnBed, type BedRan } from "../support/run-on-bed.ts";
import { startFileShelf, type FileShelf } from "./file-shelf.ts";
import { makeTroubleGuest } from "./trouble.ts";

let files: FileShelf;
beforeAll(async () => {
  const { kernel, initramfs } = await makeTroubleGuest(console.error);
  files = await startFileShelf({ vmlinuz: kernel, "initramfs.cpio.gz": initramfs });
});
afterAll(() => files.close());

const jobOf = (steps: readonly string[], { kernel = "", boot = "" } = {}): string => `
device_type: qemu
job_name: a kernel in trouble
visibility: public
context: {arch: x86_64, no_kvm: true}
timeouts:
  job: {minutes: 5}
  action: {minutes: 4}
  connection: {minutes: 2}
actions:
  - deploy:
      to: tmpfs
      images:
        kernel:
          url: ${files.url}vmlinuz
          image_arg: -kernel {kernel} -smp 2 -no-reboot -append "console=ttyS0 ${kernel}"
        initramfs:
          url: ${files.url}initramfs.cpio.gz
          image_arg: -initrd {initramfs}
  - boot:
      method: qemu
      prompts: ['root@pumice:[^#]*# ']
${boot}
  - test:
      definitions:
        - from: inline
          name: trouble
          path: inline/trouble.yaml
          repository:
            metadata: {format: Lava-Test Test Definition 1.0, name: trouble}
            run:
              steps: ${JSON.stringify(["insmod /trouble.ko", ...steps])}
`;

const dictionary = "{% extends 'qemu.jinja2' %}\n";
const now = "/sys/module/trouble/parameters/now";
const isMessages = ({ case: name }: Record<string, unknown>): boolean => name === "kernel-messages";

interface Entry {
  readonly kind: string;
  readonly message: string;
  readonly lines: readonly string[];
  readonly first_line: number;
  readonly last_line: number;
  readonly cut?: true;
}
const entriesOf = (record: Record<string, unknown> | undefined): readonly Entry[] =>
  (record?.["extra"] as { extra: Entry[] } | undefined)?.extra ?? [];

const textAt = ({ records }: BedRan, line: number): string => String(records[line]?.msg);

test.each([
  ["and stops is heard of no more", "panic=0", /then: nothing was heard of the tests for 30 s/],
  ["and takes its machine along", "panic=1", /then: Connection closed: /],
])(
  "a kernel that panics in a test %s: the job's fault, with the line",
  async (_how, kernel, why) => {
    const steps = ["lava-test-case before --result pass", "echo c >/proc/sysrq-trigger"];
    const ran = await runOnBed({ job: jobOf(steps, { kernel }), dictionary });
    expect(ran.outcome, ran.text).toMatchObject({ result: "fail", error_type: "Job" });
    expect(ran.outcome.error_msg).toMatch(/^Kernel panic - not syncing: sysrq triggered crash/);
    expect(ran.outcome.error_msg).toMatch(why);
    expect(ran.results).toContainEqual(expect.objectContaining({ case: "before", result: "pass" }));

    const [login, tests, ...more] = ran.results.filter(isMessages);
    expect(more).toEqual([]);
    expect(login).toMatchObject({ result: "pass", extra: { extra: [] } });
    expect(tests).toMatchObject({ definition: "lava", result: "fail" });
    const [panic, ...others] = entriesOf(tests);
    expect(others).toEqual([]);
    expect(panic?.kind).toBe("panic");
    expect(ran.outcome.evidence).toMatchObject({ line: panic?.first_line });
    expect(textAt(ran, panic?.first_line ?? 0)).toContain("Kernel panic - not syncing");
    expect(textAt(ran, panic?.last_line ?? 0)).toMatch(/end Kernel panic|Rebooting in/);
  },
);

test("warnings of two CPUs at once and an oops are recorded, and the tests pass", async () => {
  const steps = [
    `echo warnings >${now}`,
    `(echo oops >${now}) || true`,
    "dmesg",
    "lava-test-case after --result pass",
  ];
  const ran = await runOnBed({ job: jobOf(steps), dictionary });
  expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
  expect(ran.results).toContainEqual(expect.objectContaining({ case: "after", result: "pass" }));
  const [, record] = ran.results.filter(isMessages);
  expect(record).toMatchObject({ result: "pass" });
  const entries = entriesOf(record);
  const cpus = entries.map(({ message }) => /^WARNING: CPU: (\d)/.exec(message)?.[1] ?? "none");
  expect(
    cpus.toSorted((one, other) => one.localeCompare(other)),
    ran.text,
  ).toEqual(["0", "0", "0", "1", "1", "1", "none"]);
  expect(entries.at(-1)).toMatchObject({
    kind: "oops",
    message: "BUG: kernel NULL pointer dereference, address: 0000000000000010",
  });
  for (const { lines, cut, first_line: first, last_line: last } of entries) {
    expect(cut).toBeUndefined();
    expect(textAt(ran, first)).toContain(lines[0]);
    expect(textAt(ran, last)).toContain("---[ end trace");
  }
});

test("a kernel in trouble that the job ignores has no records", async () => {
  const ignore = "      ignore_kernel_messages: true";
  const job = jobOf([`echo warning >${now}`], { boot: ignore });
  const ran = await runOnBed({ job, dictionary });
  expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
  expect(ran.results.filter(isMessages)).toEqual([]);
});
