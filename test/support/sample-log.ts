import type { LogPage } from "#protocol/api.ts";

type Records = LogPage["records"];

/** Writes a job's log as a runner does, on a clock of its own that starts at `start`. */
export class SampleLog {
  readonly records: Records = [];
  #now: number;
  readonly #open: { level: string; name: string; start: number }[] = [];

  constructor(start: string) {
    this.#now = Date.parse(start);
  }

  pass(ms: number): this {
    this.#now += ms;
    return this;
  }

  add(lvl: string, ...messages: unknown[]): this {
    for (const msg of messages) {
      const dt = new Date(this.#now).toISOString().replace("Z", "000+00:00");
      this.records.push({ dt, lvl, msg });
    }
    return this;
  }

  start(level: string, name: string, timeout = "00:02:00"): this {
    this.#open.push({ level, name, start: this.#now });
    const lvl = level.includes(".") ? "debug" : "info";
    return this.add(lvl, `start: ${level} ${name} (timeout ${timeout}) [common]`);
  }

  /** Ends the action that was begun last, after `ms` more. */
  end(ms = 0, failure?: string): this {
    this.pass(ms);
    const { level, name, start } = this.#open.pop()!;
    const seconds = (this.#now - start) / 1000;
    const duration = new Date(seconds * 1000).toISOString().slice(11, 19);
    const lvl = level.includes(".") ? "debug" : "info";
    if (failure !== undefined) this.add("error", failure);
    this.add(lvl, `end: ${level} ${name} (duration ${duration}) [common]`);
    if (failure === undefined) return this;
    const result = { result: "fail", duration: seconds.toFixed(2), extra: { fail: failure } };
    return this.add("results", {
      definition: "lava",
      namespace: "common",
      case: name,
      level,
      ...result,
    });
  }

  result(definition: string, name: string, result: string, more: object = {}): this {
    return this.add("results", { definition, case: name, result, ...more });
  }
}

/** A QEMU job that boots and tests; with `failure` the login never comes. */
export function sampleLog(start: string, { failure = false } = {}): Records {
  const log = new SampleLog(start);
  log.add("info", "pumice-worker 0.1.0 on bench, job 1, device qemu-01 (qemu)");
  log
    .start("0", "validate", "00:10:00")
    .pass(180)
    .result("lava", "validate", "pass", { duration: "0.18" })
    .end();
  deploy(log);
  boot(log, failure);
  if (failure) {
    log.end(0, "auto-login-action timed out after 120 seconds");
    finalize(log, "3");
    const error_msg = "auto-login-action timed out after 120 seconds";
    log.result("lava", "job", "fail", { error_msg, error_type: "Job" });
    return log.add("error", `JobError: ${error_msg}`).records;
  }
  log.end();
  test(log);
  finalize(log, "4");
  return log.result("lava", "job", "pass").add("info", "Job finished correctly").records;
}

function deploy(log: SampleLog): void {
  log.start("1", "tmpfs-deploy", "00:05:00");
  for (const [n, name, megabytes] of [
    [1, "kernel", 8],
    [2, "initrd", 31],
    [3, "rootfs", 120],
  ] as const) {
    log.start(`1.${n}`, "download-retry").start(`1.${n}.1`, "http-download");
    log.add("debug", `downloading http://files.lab/bookworm/${name} as ${name}`);
    for (let percent = 0; percent <= 100; percent += 25) {
      log
        .pass(megabytes * 4)
        .add("debug", `progress ${percent}% (${Math.round((megabytes * percent) / 100)} MB)`);
    }
    log.result("lava", "http-download", "pass", {
      level: `1.${n}.1`,
      duration: "0.41",
      extra: { label: name },
    });
    log.end().end();
  }
  log.start("1.4", "lava-overlay").start("1.4.1", "test-definition").end(12);
  log
    .start("1.4.2", "compress-overlay")
    .end(160)
    .end(3)
    .start("1.5", "apply-overlay-guest")
    .end(240)
    .end();
}

const KERNEL =
  `Linux version 6.1.0-31-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14)) #1 SMP
Command line: console=ttyS0,115200 root=/dev/vda rw
x86/fpu: x87 FPU will use FXSAVE
BIOS-provided physical RAM map:
BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable
BIOS-e820: [mem 0x0000000000100000-0x000000001ffdffff] usable
NX (Execute Disable) protection: active
tsc: Detected 2394.454 MHz processor
Memory: 466052K/523768K available (14342K kernel code, 2340K rwdata, 9068K rodata)
rcu: Hierarchical RCU implementation.
NR_IRQS: 4352, nr_irqs: 424, preallocated irqs: 16
Console: colour *CGA 80x25
printk: console [ttyS0] enabled
clocksource: tsc-early: mask: 0xffffffffffffffff max_cycles: 0x2283a5d0f5f
pci 0000:00:01.1: [8086:7010] type 00 class 0x010180
virtio_blk virtio0: [vda] 245760 512-byte logical blocks (126 MB/120 MiB)
EXT4-fs (vda): mounted filesystem with ordered data mode. Quota mode: none.
random: crng init done
systemd[1]: Detected virtualization qemu.
systemd[1]: Hostname set to <lava-guest>.`.split("\n");

const UNITS = [
  "Journal Service",
  "Remount Root and Kernel File Systems",
  "Create Static Device Nodes in /dev",
  "Rule-based Manager for Device Events and Files",
  "Network Configuration",
  "D-Bus System Message Bus",
  "Permit User Sessions",
];

function boot(log: SampleLog, failure: boolean): void {
  log
    .start("2", "boot-image-retry", "00:05:00")
    .start("2.1", "boot-qemu-image")
    .start("2.1.1", "execute-qemu");
  log.add(
    "info",
    "Boot command: qemu-system-x86_64 -nographic -m 512 -net nic,model=virtio -kernel vmlinuz -initrd initrd",
  );
  log.pass(120).end().end();
  log
    .start("2.2", "auto-login-action")
    .add("debug", "Using line separator: '\\n'", "Waiting for the login prompt: 'login:'");
  let seconds = 0;
  for (const line of KERNEL) {
    seconds += 0.0731;
    log.pass(60).add("target", `[    ${seconds.toFixed(6)}] ${line}`);
  }
  for (const unit of UNITS) {
    log
      .pass(110)
      .add("target", `[\u001b[0;32m  OK  \u001b[0m] Started \u001b[0;1;39m${unit}\u001b[0m.`);
  }
  log.add(
    "target",
    "[\u001b[0;1;31mFAILED\u001b[0m] Failed to start \u001b[0;1;39mLoad Kernel Modules\u001b[0m.",
  );
  if (failure) {
    log.add(
      "target",
      "[   31.400117] EXT4-fs error (device vda): ext4_lookup:1851: inode #2: comm systemd",
      "You are in emergency mode.",
    );
    log
      .pass(60_000)
      .add("warning", "no prompt after 60 seconds; what came last: 'You are in emergency mode.'");
    log.pass(58_000).end(0, "auto-login-action timed out after 120 seconds");
    return;
  }
  log
    .add("target", "", "Debian GNU/Linux 12 lava-guest ttyS0", "", "lava-guest login: ")
    .add("input", "root");
  log
    .pass(340)
    .add("target", "Linux lava-guest 6.1.0-31-amd64 #1 SMP x86_64", "root@lava-guest:~# ");
  log.result("lava", "login-action", "pass", {
    level: "2.2.1",
    duration: "4.12",
    extra: { success: "login" },
  });
  log
    .end()
    .start("2.3", "expect-shell-connection")
    .end(20)
    .start("2.4", "export-device-env")
    .end(90);
}

const CASES = [
  ["kernel-version", "pass"],
  ["systemd-running", "fail"],
  ["modules-loaded", "skip"],
  ["dmesg-clean", "pass"],
  ["dns-resolves", "pass"],
] as const;

function test(log: SampleLog): void {
  log.start("3", "lava-test-retry", "00:05:00").start("3.1", "lava-test-shell");
  log
    .add("debug", "Using /lava-1")
    .add("input", "/lava-1/bin/lava-test-runner /lava-1/0")
    .pass(200);
  log.add(
    "target",
    "<LAVA_SIGNAL_STARTRUN 0_smoke 1_3.1.1>",
    "+ uname -a",
    "Linux lava-guest 6.1.0-31-amd64",
  );
  for (const [name, result] of CASES) {
    log.add("target", `+ lava-test-case ${name} --shell ./${name}.sh`).pass(330);
    const line = log.records.length;
    log.result("0_smoke", name, result, { starttc: line - 1, endtc: line });
  }
  log.result("0_smoke", "boot-time", "pass", { measurement: 4.812, units: "s" });
  log.result("1_storage", "seq-read", "pass", { set: "fio", measurement: 1843.22, units: "MB/s" });
  log.result("1_storage", "rand-read", "pass", { set: "fio", measurement: 81240, units: "IOPS" });
  log.result("1_storage", "fsck", "pass");
  log.add("warning", "test case e2scrub was started and never ended").end(40).end();
}

function finalize(log: SampleLog, level: string): void {
  log.start(level, "finalize", "00:05:00").start(`${level}.1`, "power-off", "00:00:10");
  log
    .add("info", "Powering off qemu-01")
    .end(70)
    .start(`${level}.2`, "read-feedback", "00:00:10")
    .end(4)
    .end();
}
