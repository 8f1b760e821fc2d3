import path from "node:path";
import { expect, test } from "vitest";
import { runOnBed } from "../support/run-on-bed.ts";
import { startFileShelf } from "./file-shelf.ts";
import { makeGuest, type GuestArch } from "./guest.ts";

const job = (files: string, arch: string, cpu: string, machine: string): string => `
device_type: qemu
job_name: a guest of another architecture
visibility: public
context: {arch: ${arch}, cpu: ${cpu}}
timeouts:
  job: {minutes: 5}
  action: {minutes: 4}
  connection: {minutes: 2}
actions:
  - deploy:
      to: tmpfs
      images:
        kernel:
          url: ${files}vmlinuz
          image_arg: -kernel {kernel} -append "console=ttyAMA0 ip=dhcp"
        initramfs:
          url: ${files}initramfs.cpio.gz
          image_arg: -initrd {initramfs}
  - boot:
      method: qemu
      prompts: ['root@pumice:[^#]*# ']
  - test:
      definitions:
        - from: inline
          name: smoke
          path: inline/smoke.yaml
          repository:
            metadata: {format: Lava-Test Test Definition 1.0, name: smoke}
            run:
              steps:
                - lava-test-case machine --shell test "$(uname -m)" = ${machine}
                - lava-test-case network --shell 'ip route | grep default'
                - lava-test-case cores --result pass --measurement "$(grep -c processor /proc/cpuinfo)"
`;

// The names that jobs have for them, and the machine's answer to `uname -m`.
test.each<[GuestArch, string, string, string]>([
  ["arm64", "arm64", "cortex-a53", "aarch64"],
  ["armhf", "arm", "cortex-a15", "armv7l"],
])("a guest for %s boots in QEMU, and its tests report", async (debian, arch, cpu, machine) => {
  const guest = await makeGuest(console.error, debian);
  const names = ["vmlinuz", "initramfs.cpio.gz"];
  const files = await startFileShelf(
    Object.fromEntries(names.map((name) => [name, path.join(guest, name)])),
  );
  try {
    const dictionary = "{% extends 'qemu.jinja2' %}\n";
    const ran = await runOnBed({ job: job(files.url, arch, cpu, machine), dictionary });
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    const smoke = ran.results.filter(({ definition }) => definition === "0_smoke");
    expect(smoke).toMatchObject([
      { case: "machine", result: "pass" },
      { case: "network", result: "pass" },
      { case: "cores", result: "pass", measurement: expect.anything() as unknown },
    ]);
  } finally {
    await files.close();
  }
});
