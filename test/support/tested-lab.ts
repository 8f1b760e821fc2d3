import { aJob } from "./builders.ts";
import type { EmbeddedLab } from "./embedded-lab.ts";
import { resultLine } from "./tested-job.ts";

const BOARDS = [
  ["qemu", "qemu-01"],
  ["qemu", "qemu-02"],
  ["rk3399-gru-kevin", "rk3399-gru-kevin-01"],
  ["juno-r2", "juno-r2-01"],
] as const;
const JOBS = ["mainline smoke", "LTP syscalls", "suspend and resume 200 times"] as const;
const CASES = [
  ...["dmesg-clean", "ethernet-up", "rtc-works", "usb-enumerates", "cpufreq-scales", "mmc-reads"],
  ...["systemd-running", "clock-drift", "wifi-connects", "bluetooth-pairs"],
];

/**
 * A lab in which jobs of three kinds ran over days on four boards, several to a build, a few hours apart: some tests are flaky, one
 * breaks half-way, the boot gets slower. Nothing is by chance.
 */
export async function testedLab(lab: EmbeddedLab, count: number): Promise<void> {
  const worker = await lab.addWorker();
  for (const [device_type, hostname] of BOARDS) await lab.addDevice(hostname, { device_type });
  await lab.sync(worker);
  for (let n = 0; n < count; n++) {
    const [deviceType] = BOARDS[n % BOARDS.length]!;
    const build = 400 + Math.floor(n / 12);
    const lines = [
      "metadata:",
      `  build: "${build}"`,
      `  branch: ${n % 5 === 0 ? "next" : "main"}`,
    ];
    const name = JOBS[n % JOBS.length]!;
    const id = await lab.submit(aJob({ name, deviceType, lines }));
    lab.pass(30 + ((n * 37) % 200));
    await runIt(lab, worker, id, n, n % 17 === 11 ? [] : resultsOf(n, count));
    lab.pass(7200 + ((n * 977) % 3600));
  }
}

function resultsOf(n: number, count: number): object[] {
  const suite = `0_${JOBS[n % JOBS.length]!.split(" ")[0]!.toLowerCase()}`;
  const cases = CASES.map((name, k) => resultLine(suite, name, resultOf(n, k, n > count / 2)));
  const seconds = (11 + (n / count) * 3 + ((n * 13) % 7) / 10).toFixed(2);
  const boot = { measurement: seconds, units: "s" };
  return [
    ...cases,
    resultLine("1_boot", "boot-time", "pass", boot),
    resultLine("1_boot", "login", "pass"),
  ];
}

function resultOf(n: number, test: number, isLate: boolean): string {
  if (test === 8) return (n * 7) % 5 < 2 ? "fail" : "pass";
  if (test === 9) return (n * 11) % 13 === 0 ? "fail" : "pass";
  if (test === 5 && isLate) return "fail";
  return test === 4 && n % 3 === 0 ? "skip" : "pass";
}

/** No results: the board did not come up. */
async function runIt(lab: EmbeddedLab, worker: string, id: number, n: number, results: object[]) {
  const { start } = await lab.sync(worker);
  const { token } = start.find(({ job_id }) => job_id === id)!;
  await lab.sync(worker, [{ job_id: id, state: "running" }]);
  lab.pass(240 + ((n * 331) % 3000));
  const lines = results.length;
  if (lines > 0) {
    await lab.ship(id, token, 0, results);
    await lab.finish(id, token, { result: "pass", lines });
  } else {
    const error_type = (["Infrastructure", "Job", "Test"] as const)[Math.floor(n / 17) % 3]!;
    const error_msg = "auto-login-action timed out after 120 seconds";
    await lab.finish(id, token, { result: "fail", lines, error_type, error_msg });
  }
  await lab.sync(worker);
}
