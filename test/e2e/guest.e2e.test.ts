import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { TestDefinitionEntry } from "#protocol/job-actions.ts";
import {
  guestDriveSlot,
  imagesSlot,
  overlaySlot,
  type GuestDrive,
} from "../../worker/pipeline/job-slots.ts";
import { deployJob, runDeploy } from "../deploy/run-deploy.ts";
import { guestDir } from "../support/real-lab.ts";

const guest = guestDir();
let cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  cleanups = [];
});

/** A person at the guest's serial console: waits for text, types lines. */
function boot(args: string[]): { until(text: string): Promise<string>; type(line: string): void } {
  const options = "-accel tcg -nographic -monitor none -m 256 -nic none -no-reboot".split(" ");
  const qemu: ChildProcess = spawn("qemu-system-x86_64", [...options, ...args]);
  cleanups.push(async () => {
    qemu.kill("SIGKILL");
    if (qemu.exitCode === null && qemu.signalCode === null) await once(qemu, "exit");
  });
  let seen = "";
  let wake = (): void => {};
  for (const stream of [qemu.stdout, qemu.stderr]) {
    stream?.on("data", (data: Buffer) => {
      seen += data.toString("latin1");
      wake();
    });
  }
  qemu.on("exit", () => wake());
  return {
    until: async (text) => {
      while (!seen.includes(text)) {
        if (qemu.exitCode !== null)
          throw new Error(`QEMU ended without "${text}": ${seen.slice(-2000)}`);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const end = seen.indexOf(text) + text.length;
      const before = seen.slice(0, end);
      seen = seen.slice(end);
      return before;
    },
    type: (line) => void qemu.stdin?.write(`${line}\n`),
  };
}

const definitions: TestDefinitionEntry[] = [
  {
    from: "inline",
    name: "smoke",
    path: "smoke.yaml",
    repository: {
      metadata: { format: "Lava-Test Test Definition 1.0", name: "smoke" },
      run: {
        steps: [
          "lava-test-case alive --shell test -d /proc/1",
          "lava-test-case job --shell test $LAVA_JOB_ID = 7",
        ],
      },
    },
  },
];

async function deployed(images: Record<string, unknown>) {
  const job = deployJob({
    actions: [{ deploy: { to: "tmpfs", images } }, { test: { definitions } }],
  });
  cleanups.push(() => job.remove());
  const { outcome, slots } = await runDeploy(job);
  if (!slots) throw new Error(outcome.error_msg);
  const file = (label: string): string => slots.take(imagesSlot).get(label)?.path ?? "";
  return { file, lavaDir: slots.take(overlaySlot).lavaDir, drive: slots.find(guestDriveSlot) };
}
const url = (name: string): string => `file://${path.join(guest, name)}`;
const signals = (text: string): string[] =>
  text.split(/\r?\n/).filter((line) => /^<LAVA_.*>$/.test(line));

const EXPECTED = [
  "<LAVA_JOURNAL OFF>",
  "<LAVA_SIGNAL_STARTRUN 0_smoke 7_1.1.2.1>",
  "<LAVA_SIGNAL_STARTTC alive>",
  "<LAVA_SIGNAL_ENDTC alive>",
  "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=alive RESULT=pass>",
  "<LAVA_SIGNAL_STARTTC job>",
  "<LAVA_SIGNAL_ENDTC job>",
  "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=job RESULT=pass>",
  "<LAVA_SIGNAL_ENDRUN 0_smoke 7_1.1.2.1>",
  "<LAVA_TEST_RUNNER EXIT>",
];

describe("a guest made from Debian's packages", () => {
  test("boots to its prompt and runs the overlay that was appended to its initramfs", async () => {
    const { file, lavaDir, drive } = await deployed({
      kernel: { url: url("vmlinuz"), image_arg: "-kernel {kernel}" },
      initramfs: { url: url("initramfs.cpio.gz"), image_arg: "-initrd {initramfs}" },
    });
    expect(drive).toBeUndefined();
    const kernel = ["-kernel", file("kernel"), "-initrd", file("initramfs")];
    const console = boot([...kernel, "-append", "console=ttyS0"]);
    await console.until("Linux version");
    await console.until("root@pumice:~# ");
    console.type(
      `. ${lavaDir}/environment; LAVA_JOURNAL=off ${lavaDir}/bin/lava-test-runner ${lavaDir}/0`,
    );
    expect(signals(await console.until("<LAVA_TEST_RUNNER EXIT>"))).toEqual(EXPECTED);
  });

  test.each<[string, string, string, string[]]>([
    ["virtio", "/dev/vda", "by its UUID", []],
    ["ide", "/dev/sda", "by its content, where nothing knows UUIDs", ["rm /bin/findfs"]],
  ])("boots a disk (%s, %s), logs in, and mounts the overlay's drive %s", async (...row) => {
    const [bus, root, , before] = row;
    const { file, lavaDir, drive } = await deployed({
      kernel: { url: url("vmlinuz") },
      initramfs: { url: url("initramfs.cpio.gz"), image_arg: "-initrd {initramfs}" },
      disk: { url: url("rootfs.ext4.gz"), compression: "gz", image_arg: "-drive file={disk}" },
    });
    const { path: overlay = "", mountCommands = [] } = drive ?? ({} as Partial<GuestDrive>);
    const disks = [file("disk"), overlay].flatMap((image) => [
      "-drive",
      `format=raw,if=${bus},file=${image}`,
    ]);
    const kernel = ["-kernel", file("kernel"), "-initrd", file("initramfs"), ...disks];
    const console = boot([...kernel, "-append", `console=ttyS0 quiet root=${root}`]);
    await console.until("pumice login: ");
    console.type("root");
    await console.until("Password: ");
    console.type("lava");
    for (const command of [...before, ...mountCommands]) {
      await console.until("root@pumice:~# ");
      console.type(command);
    }
    await console.until("root@pumice:~# ");
    console.type(
      `. ${lavaDir}/environment; LAVA_JOURNAL=off ${lavaDir}/bin/lava-test-runner ${lavaDir}/0`,
    );
    expect(signals(await console.until("<LAVA_TEST_RUNNER EXIT>"))).toEqual(EXPECTED);
  });
});
