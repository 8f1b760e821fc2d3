import { spawn } from "node:child_process";
import path from "node:path";
import type { BootBlock } from "#protocol/job-actions.ts";
import type { Console } from "../../console/console.ts";
import { dispatcherIp, inUrl } from "../../host/dispatcher-ip.ts";
import { copyIntoRoot } from "../../host/inside-root.ts";
import { hostEnvironment } from "../../host/spawn.ts";
import { requireTool } from "../../host/tool.ts";
import { shellQuote } from "../../overlay/shell-quote.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot, overlaySlot, overlayTarballSlot } from "../../pipeline/job-slots.ts";
import { serveFile } from "../../services/file-server.ts";
import { nfsFolder, nfsRoot } from "../../services/nfs-root.ts";
import { runAllOnDut, runOnDut } from "./shell-command.ts";

/** `overlay-unpack` when the block has `transfer_overlay`: the DUT fetches and unpacks the overlay itself (DISPATCHER.md 14). */
export function overlayUnpackSteps(block: BootBlock): Action[] {
  const asked = block["transfer_overlay"];
  if (asked === undefined || asked === null) return [];
  return [
    {
      name: "overlay-unpack",
      needs: [consoleSlot, overlaySlot, overlayTarballSlot],
      validate: async ({ job }) => {
        const { method } = transferOf(asked);
        if (method === "zmodem") requireTool("sz");
        if (method === "nfs") nfsRoot(job);
      },
      run: (context) => transferOverlay(context, transferOf(asked)),
    },
  ];
}

interface Transfer {
  readonly method: "http" | "nfs" | "zmodem";
  readonly download: string;
  readonly unpack: string;
}

function transferOf(value: unknown): Transfer {
  const asked = (typeof value === "object" ? value : {}) as Record<string, unknown>;
  const text = (key: string): string => (typeof asked[key] === "string" ? asked[key].trim() : "");
  const method = text("transfer_method") || "http";
  if (method !== "http" && method !== "nfs" && method !== "zmodem") {
    const message = `transfer_overlay.transfer_method '${method}': expected http, nfs or zmodem`;
    throw new JobFailure("Job", message);
  }
  const [download, unpack] = [text("download_command"), text("unpack_command")];
  if (unpack !== "" && (download !== "" || method === "zmodem"))
    return { method, download, unpack };
  const message = "transfer_overlay: expected download_command and unpack_command";
  throw new JobFailure("Job", message);
}

async function transferOverlay(context: RunContext, transfer: Transfer): Promise<void> {
  if (transfer.method === "nfs") return copyFromNfs(context, transfer);
  const tarball = context.slots.take(overlayTarballSlot);
  const name = path.basename(tarball);
  const unpack = `${transfer.unpack} ${name}`;
  if (transfer.method === "http") {
    const download = `${transfer.download} ${await serveFile(context, tarball)}`;
    // Each has as long as a connection may be silent.
    const options = {
      timeoutSeconds: 2 * context.connectionTimeoutSeconds,
      after: `rm -f ${name}`,
    };
    return runAllOnDut(context, [download, unpack], options);
  }
  await typed(context, `rm -f ${name}`);
  await sendByZmodem(context, tarball, transfer.download || "rz");
  await typed(context, unpack);
}

/** Its files, not the archive, are in the exported folder: `unpack_command` is a copy (`cp -rf`). */
async function copyFromNfs(context: RunContext, { download, unpack }: Transfer): Promise<void> {
  const folder = await nfsFolder(context);
  await copyIntoRoot(context.slots.take(overlaySlot).root, folder);
  const mount = `/mnt/${path.basename(folder)}`;
  const server = inUrl(dispatcherIp(context.job.dispatcher));
  await typed(context, `mkdir -p ${mount}; ${download} ${server}:${shellQuote(folder)} ${mount}`);
  await typed(context, `${unpack} ${mount}/* /`);
  await typed(context, `umount ${mount}`);
}

/** One command of the transfer, which has as long as a connection may be silent (DISPATCHER.md 2). */
const typed = (context: RunContext, command: string): Promise<void> =>
  runOnDut(context, command, { timeoutSeconds: context.connectionTimeoutSeconds });

/** The DUT's `rz` and the worker's `sz` talk to each other over the console. */
async function sendByZmodem(context: RunContext, file: string, receive: string): Promise<void> {
  const { connection, signal, connectionTimeoutSeconds } = context;
  const console: Console = connection.take(consoleSlot);
  await console.sendLine(`${receive} ; printf "<LAVA_SIGNAL_RETRUNCODE $?>\\n"`);
  const options = { timeoutSeconds: connectionTimeoutSeconds, signal };
  // What a receiver begins with.
  await console.expect({ ready: /\*\*\x18B0[01]/g, failed: /RETRUNCODE \d/g }, options);
  // What ends it may come while the line is still lent: it is looked for there.
  const code = await console.lend(async (line) => {
    const child = spawn("sz", ["--binary", "--quiet", "--", file], {
      env: hostEnvironment(),
      stdio: ["pipe", "pipe", "ignore"],
    });
    const limit = AbortSignal.any([signal, AbortSignal.timeout(MAX_ZMODEM_MS)]);
    const kill = (): void => void child.kill("SIGKILL");
    limit.addEventListener("abort", kill, { once: true });
    child.stdin.on("error", () => {});
    child.stdout.on("data", (bytes: Buffer) => void line.write(bytes).catch(kill));
    try {
      return await new Promise<string | undefined>((resolve) => {
        let tail = "";
        line.onData((bytes) => {
          child.stdin.write(bytes);
          tail = (tail + Buffer.from(bytes).toString("latin1")).slice(-200);
          const [, found] = /<LAVA_SIGNAL_RETRUNCODE (\d+)>/.exec(tail) ?? [];
          if (found !== undefined) resolve(found);
        });
        limit.addEventListener("abort", () => resolve(undefined), { once: true });
        child.on("error", () => resolve(undefined));
      });
    } finally {
      limit.removeEventListener("abort", kill);
      kill();
    }
  });
  signal.throwIfAborted();
  if (code === "0") return;
  throw new JobFailure("Job", `'${receive}' failed with return code ${code ?? "unknown"}!`);
}

/** For what a line of 9600 baud carries, and no longer than anybody would wait. */
const MAX_ZMODEM_MS = 30 * 60 * 1000;
