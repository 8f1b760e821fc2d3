import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { runCommand } from "../../worker/host/spawn.ts";
import { tftpGet } from "../../worker/services/tftp-client.ts";
import { startUbootClient, type UbootClient } from "./tftp-uboot.ts";
import { startTftpServer } from "../../worker/services/tftp-server.ts";

const MEBIBYTES = 64;
const ROUNDS = 5;
/** Loopback addresses that nothing else has; U-Boot knows no other port. */
const THEIRS = { address: "127.69.0.1", port: 69 };
const OURS = { address: "127.69.0.2", port: 69 };
/** U-Boot in an emulated machine takes long. */
const UBOOT_ROUNDS = 3;

type Client = (port: number, address: string, out: string) => readonly [string, ...string[]];
const CLIENTS: Readonly<Record<string, Client>> = {
  "tftp-hpa, blocks of 512": (port, address, out) => [
    ...(["tftp", "-m", "binary", address, String(port), "-c", "get", "file", out] as const),
  ],
  "busybox, blocks of 1468": (port, address, out) => [
    ...(["busybox", "tftp", "-b", "1468", "-g", "-r", "file", "-l", out] as const),
    ...[address, String(port)],
  ],
  "curl, blocks of 1468": (port, address, out) => [
    ...(["curl", "-s", "--tftp-blksize", "1468", "-o", out] as const),
    `tftp://${address}:${port}/file`,
  ],
};

export interface TftpFigure {
  readonly client: string;
  /** Megabytes (10^6) a second, the median of the rounds. */
  readonly ours: number;
  readonly theirs: number;
  /** Median of the rounds' ratios: both servers are measured in each, one after the other. */
  readonly ratio: number;
}

/**
 * How fast our TFTP server is beside tftpd-hpa: the same file of 64 MiB to the same clients, in turns, on loopback.
 * Ours runs in a process of its own, as tftpd-hpa does.
 *
 * @throws when a program is missing or a file arrives damaged.
 */
export async function measureTftp(
  onFigure: (figure: TftpFigure) => void = () => {},
): Promise<TftpFigure[]> {
  const folder = mkdtempSync(path.join(tmpdir(), "pumice-bench-tftp-"));
  // tftpd-hpa reads as nobody.
  chmodSync(folder, 0o755);
  const file = path.join(folder, "file");
  const out = path.join(folder, "out");
  writeFileSync(file, randomBytes(MEBIBYTES * 1024 * 1024));
  writeFileSync(path.join(folder, "probe"), "");
  const at = `${THEIRS.address}:${THEIRS.port}`;
  const theirs = spawn("in.tftpd", ["-L", "-a", at, "-s", folder], { stdio: "ignore" });
  const ours = spawn(process.execPath, [import.meta.filename, "serve", folder], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  let uboot: UbootClient | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      ours.stdout.once("data", () => resolve());
      ours.once("exit", () => reject(new Error("our server has ended")));
    });
    await tftpGet(THEIRS, "probe", { attempts: 20 });
    const figures: TftpFigure[] = [];
    for (const [client, argv] of Object.entries(CLIENTS)) {
      const seconds: [number, number][] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const one = await timed(argv(OURS.port, OURS.address, out));
        const two = await timed(argv(THEIRS.port, THEIRS.address, out));
        seconds.push([one, two]);
      }
      if (!readFileSync(out).equals(readFileSync(file))) throw new Error(`${client}: damaged`);
      const rate = (n: 0 | 1): number =>
        (MEBIBYTES * 1.048576) / median(seconds.map((pair) => pair[n]));
      const ratio = median(seconds.map(([own, other]) => other / own));
      const figure = { client, ours: rate(0), theirs: rate(1), ratio };
      onFigure(figure);
      figures.push(figure);
    }
    uboot = await startUbootClient(folder);
    const rates: [number, number][] = [];
    for (let round = 0; round < UBOOT_ROUNDS; round += 1) {
      const one = await uboot.fetch(OURS.address, "file");
      rates.push([one, await uboot.fetch(THEIRS.address, "file")]);
    }
    const figure = {
      client: "U-Boot arm64 in QEMU",
      ours: median(rates.map(([own]) => own)) * 1.048576,
      theirs: median(rates.map(([, other]) => other)) * 1.048576,
      ratio: median(rates.map(([own, other]) => own / other)),
    };
    onFigure(figure);
    return [...figures, figure];
  } finally {
    await uboot?.close();
    theirs.kill();
    ours.kill();
    rmSync(folder, { recursive: true });
  }
}

async function timed(argv: readonly [string, ...string[]]): Promise<number> {
  const start = performance.now();
  const { status, output } = await runCommand(argv);
  if (status !== 0) throw new Error(`${argv.join(" ")}: ${output}`);
  return (performance.now() - start) / 1000;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

if (process.argv[1] === import.meta.filename) {
  const [mode, root = ""] = process.argv.slice(2);
  if (mode === "serve") {
    const { port } = await startTftpServer({ ...OURS, root });
    process.stdout.write(`${port}\n`);
    process.stdin.resume().on("end", () => process.exit());
  } else {
    await measureTftp(({ client, ours, theirs, ratio }) => {
      const rates = `${ours.toFixed(1)} MB/s, tftpd-hpa ${theirs.toFixed(1)} MB/s`;
      console.log(`${client}: ${rates}, ${Math.round(ratio * 100)} %`);
    });
  }
}
