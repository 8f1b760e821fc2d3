import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { promisify } from "node:util";
import { cutWire } from "../../test/support/cut-wire.ts";
import { endProcess } from "../../test/support/serve-process.ts";

/** What is between a worker's machine and the lab, and can be broken. */
export interface WorkerNetwork {
  /** Where the worker finds the lab. */
  readonly url: string;
  /** Starts a program on the worker's side of it. */
  command(program: string, args: readonly string[]): readonly [string, readonly string[]];
  /** What can be done to it, by name; each lasts until it is mended. */
  readonly breaks: Readonly<Partial<Record<Break, (chance: number) => Promise<void>>>>;
  mend(): Promise<void>;
  /** Processes that run on the worker's side. */
  processes(): number[];
  /** TCP connections of the worker's side whose far end has gone, and that nobody closed. */
  forgottenSockets(): number;
  close(): Promise<void>;
}

/**
 * The link goes down; nothing comes through and nobody is told; answers alone are lost, so that connections are half open; a part
 * of the packets is lost; everything is late.
 */
export type Break = "cut" | "held" | "half open" | "lossy" | "late";
export const BREAKS: readonly Break[] = ["cut", "held", "half open", "lossy", "late"];

const run = promisify(execFile);
const lateMs = (chance: number): number => Math.round(50 + chance * 750);

/**
 * A machine of its own as the kernel sees it: a network namespace, joined to ours by a pair of veth. What listens on our loopback at
 * `ports` is found on its own loopback, through the pair. Only where `hasOwnNetwork`.
 * Where the kernel has no netem, a proxy on our side is late.
 */
export async function namespaceNetwork(
  n: number,
  { url, ports }: { url: string; ports: readonly number[] },
): Promise<WorkerNetwork> {
  const [ours, theirs] = [`10.213.${n}.1`, `10.213.${n}.2`];
  const [near, far] = [`near${n}`, `far${n}`];
  const holder = await openNamespace();
  const inside = [`--net=/proc/${holder.pid}/ns/net`];
  const there = (program: string, ...args: string[]) =>
    run("nsenter", [...inside, program, ...args]);
  await run("ip", [
    "link",
    "add",
    near,
    "type",
    "veth",
    "peer",
    "name",
    far,
    "netns",
    String(holder.pid),
  ]);
  await run("ip", ["addr", "add", `${ours}/30`, "dev", near]);
  await run("ip", ["link", "set", near, "up"]);
  await there("ip", "addr", "add", `${theirs}/30`, "dev", far);
  await there("ip", "link", "set", far, "up");
  const [sysctl, ...rest] = routeLocalnet(near);
  await run(sysctl, rest);
  await there(...routeLocalnet(far));
  const delays = (await hasNetem(near)) ? undefined : await cutWire(url);
  const lab = delays?.url ?? url;
  for (const port of [Number(new URL(lab).port), ...ports].map(String)) {
    const tcp = ["-p", "tcp", "--dport", port, "-j", "DNAT", "--to-destination"];
    await there("iptables", "-t", "nat", "-A", "OUTPUT", "-d", "127.0.0.1", ...tcp, ours);
    await run("iptables", ["-t", "nat", "-A", "PREROUTING", "-d", ours, ...tcp, "127.0.0.1"]);
  }
  await there("iptables", "-t", "nat", "-A", "POSTROUTING", "-o", far, "-j", "MASQUERADE");
  const drop = (...rule: string[]) => there("iptables", ...rule, "-j", "DROP");
  const into = ["-A", "INPUT", "-i", far];
  const outOf = ["-A", "OUTPUT", "-o", far];
  const random = (chance: number): string[] => {
    const probability = (0.05 + chance * 0.4).toFixed(2);
    return ["-m", "statistic", "--mode", "random", "--probability", probability];
  };
  return {
    url: lab,
    command: (program, args) => ["nsenter", [...inside, program, ...args]],
    breaks: {
      cut: async () => void (await run("ip", ["link", "set", near, "down"])),
      held: async () => void (await Promise.all([drop(...into), drop(...outOf)])),
      "half open": async () => void (await drop(...into)),
      lossy: async (chance) => {
        await drop(...into, ...random(chance));
        await drop(...outOf, ...random(chance));
      },
      late: async (chance) => {
        if (delays) return delays.slow(lateMs(chance));
        await run("tc", [
          "qdisc",
          "add",
          "dev",
          near,
          "root",
          "netem",
          "delay",
          `${lateMs(chance)}ms`,
        ]);
      },
    },
    async mend() {
      await there("iptables", "-F");
      await run("ip", ["link", "set", near, "up"]);
      await delays?.mend();
      // Fails when there is none.
      await run("tc", ["qdisc", "del", "dev", near, "root"]).catch(() => {});
    },
    processes: () => processesIn(holder.pid!).filter((pid) => pid !== holder.pid),
    forgottenSockets: () => closeWaits(holder.pid!),
    async close() {
      await endProcess(holder, "SIGKILL");
      await delays?.close();
    },
  };
}

/** Without root: the lab through a proxy that can be cut, held and slow. */
export async function proxyNetwork(url: string): Promise<WorkerNetwork> {
  const wire = await cutWire(url);
  return {
    url: wire.url,
    command: (program, args) => [program, args],
    breaks: {
      cut: () => wire.cut(),
      held: async () => wire.hold(),
      late: async (chance) => wire.slow(lateMs(chance)),
    },
    mend: () => wire.mend(),
    processes: () => [],
    forgottenSockets: () => 0,
    close: () => wire.close(),
  };
}

/** This process is in namespaces of its own (scripts/chaos puts it there), where interfaces, rules and mounts go with it. */
export const hasOwnNetwork = (): boolean => process.env["PUMICE_TRIAL_NETWORK"] === "own";

/** Once, before anything listens: the loopback of a new namespace is down. */
export async function openLoopback(): Promise<void> {
  await run("ip", ["link", "set", "lo", "up"]);
}

/** A process that is there for its network, and ends with us. */
async function openNamespace(): Promise<ChildProcess> {
  const script = "ip link set lo up && echo up && exec cat";
  const holder = spawn("unshare", ["--net", "sh", "-c", script], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(holder.stdout!, "data");
  return holder;
}

/** Packets between the pair and 127.0.0.1 are let through. */
const routeLocalnet = (device: string): [string, ...string[]] => [
  "sysctl",
  "-qw",
  `net.ipv4.conf.${device}.route_localnet=1`,
];

async function hasNetem(device: string): Promise<boolean> {
  try {
    await run("tc", ["qdisc", "add", "dev", device, "root", "netem", "delay", "1ms"]);
  } catch {
    return false;
  }
  await run("tc", ["qdisc", "del", "dev", device, "root"]);
  return true;
}

/** All that run in the network of process `of`. */
function processesIn(of: number): number[] {
  const network = (pid: number): string | undefined => {
    try {
      return readlinkSync(`/proc/${pid}/ns/net`);
    } catch {
      // It has ended.
      return undefined;
    }
  };
  const wanted = network(of);
  const all = readdirSync("/proc").map(Number).filter(Number.isSafeInteger);
  return wanted === undefined ? [] : all.filter((pid) => network(pid) === wanted);
}

/** proc(5), tcp: the fourth column is the state, 08 is CLOSE_WAIT. */
const closeWaits = (pid: number): number =>
  ["tcp", "tcp6"]
    .flatMap((name) => readFileSync(`/proc/${pid}/net/${name}`, "utf8").split("\n"))
    .filter((line) => line.trim().split(/\s+/)[3] === "08").length;
