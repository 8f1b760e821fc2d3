import { deviceItem, type DeviceRecord } from "../../control-plane/domain/device-record.ts";
import { deviceKey } from "../../control-plane/domain/keys.ts";
import { MOST_RECENT } from "../../control-plane/domain/recent-jobs.ts";
import { aJob } from "./builders.ts";
import type { EmbeddedLab } from "./embedded-lab.ts";

const TYPES = [
  ["beaglebone-black", 12],
  ["imx8mp-verdin-nonwifi-mallow-evaluation-kit-revision-b", 3],
  ["juno-r2", 4],
  ["qemu", 16],
  ["rk3399-gru-kevin", 6],
  ["sun50i-h6-pine-h64", 5],
  ["x15", 8],
  ["x86-64-server", 6],
] as const;
const WORKERS = ["bench-cambridge-1", "bench-cambridge-2", "rack-3-left", "rack-3-right"];
const HEALTHS = ["Bad", "Unknown", "Maintenance", "Looping", "Retired"] as const;

/**
 * A lab as labs are: sixty devices of eight types on four workers, some in bad health, with the jobs that they had last; jobs that
 * run and others that wait. `workers` are the tokens, by name; the first is online.
 */
export async function sampleLab(lab: EmbeddedLab): Promise<{ running: number[] }> {
  const tokens: string[] = [];
  for (const name of WORKERS)
    tokens.push(await lab.addWorker(name, name.startsWith("rack") ? 4 : 0));
  let n = 0;
  for (const [type, count] of TYPES) {
    for (let of = 1; of <= count; of++) {
      const hostname = `${type.slice(0, 29)}-${String(of).padStart(2, "0")}`;
      await lab.addDevice(hostname, aboutDevice(type, n));
      await remember(lab, hostname, n);
      n += 1;
    }
  }
  for (const token of tokens.slice(0, 3)) await lab.sync(token, [], { platform: "linux-arm64" });
  return { running: await someJobs(lab, tokens) };
}

function aboutDevice(type: string, n: number) {
  const health = n % 9 === 4 ? HEALTHS[Math.floor(n / 9) % HEALTHS.length] : undefined;
  return {
    device_type: type,
    worker: WORKERS[n % WORKERS.length]!,
    tags: n % 3 === 0 ? ["usb-hub", `rack-${n % 4}`] : [],
    ...(n % 5 === 0
      ? { description: "Second shelf, with the HDMI grabber and a spare SD multiplexer" }
      : {}),
    ...(health ? { health } : {}),
  };
}

/** Jobs that nobody ran, so that a lab is there in a moment: they are none to look at. */
async function remember(lab: EmbeddedLab, hostname: string, n: number): Promise<void> {
  const item = await lab.deps.table.get<DeviceRecord>(deviceKey(hostname));
  const count = n % 11 === 10 ? 0 : Math.min(MOST_RECENT, 6 + ((n * 7) % 19));
  const recent = Array.from({ length: count }, (_, k) => {
    const dice = (n * 31 + k * 17) % 23;
    const end = dice < 3 ? "i" : dice === 3 ? "x" : "c";
    return `${9000 - k * 7 - n}${end}${k % 8 === 3 ? "h" : ""}${dice === 9 ? "p" : ""}`;
  });
  const data = { ...item!.data, ...(count > 0 ? { recent: recent.join(" ") } : {}) };
  await lab.deps.table.transact([{ put: deviceItem(data), when: { version: item!.version } }]);
}

async function someJobs(lab: EmbeddedLab, tokens: readonly string[]): Promise<number[]> {
  const submit = (name: string, deviceType: string, lines: string[] = []) =>
    lab.submit(aJob({ name, deviceType, lines }));
  for (let n = 0; n < 9; n++)
    await submit(`mainline v6.18-rc${n} smoke and LTP syscalls`, "juno-r2");
  for (let n = 0; n < 4; n++) await submit(`nightly build ${n}`, "x15", ["priority: high"]);
  const rest = "imx8mp-verdin-nonwifi-mallow-evaluation-kit-revision-b";
  for (let n = 0; n < 7; n++) await submit("customer image, suspend and resume 200 times", rest);
  const running: number[] = [];
  for (const token of tokens.slice(0, 3)) {
    const { start } = await lab.sync(token);
    const reports = start.map(({ job_id }) => ({ job_id, state: "running" }) as const);
    await lab.sync(token, reports);
    running.push(...start.map(({ job_id }) => job_id));
  }
  return running;
}
