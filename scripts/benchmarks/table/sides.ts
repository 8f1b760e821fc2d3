import { constants, copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { freePort } from "../../../test/support/loopback-ports.ts";
import { realLab, root, until } from "../../../test/support/real-lab.ts";
import { ownLava } from "../../../test/support/real-lava.ts";
import { restOf, type Rest } from "./client.ts";
import { DEVICE_TYPE, makeDut, PARKED_TYPE, TEMPLATE } from "./dut.ts";
import { processTree, type Process } from "./process-tree.ts";
import { withRoles, type Role } from "./watch.ts";

/** A lab that is measured: server and one worker on this machine, with the same devices. Spoken to by LAVA's REST API, whichever it is. */
export interface Side {
  readonly name: "pumice" | "lava";
  /** What runs: versions, programs. */
  readonly about: string;
  /** Ends in a slash. */
  readonly url: string;
  readonly token: string;
  readonly rest: Rest;
  /** Of all services of the server. */
  server(): Process[];
  /** Of the worker and all that it has started, DUTs too: what has ended counts for who waited for it. */
  bench(): Process[];
  /** Those of them that are agent, runner or DUT. */
  roles(): [Process, Role][];
  /** As its packages have it, or with the shortest intervals that it can be told. Only LAVA has such. */
  pace?: (pace: "packaged" | "tuned") => Promise<void>;
  /** Seconds from nothing to a worker online with its devices. */
  readonly setUpSeconds: number;
  close(): Promise<void>;
}

/** A QEMU guest, or a shell of this machine; what these start is theirs. */
const isDut = ({ command }: Process): boolean =>
  /^\S*qemu-system|^\/bin\/(sh|busybox)( |$)/.test(command);

/** LAVA from Debian's packages, in namespaces and a folder of its own; tuned. */
export async function lavaSide(): Promise<Side> {
  const began = Date.now();
  const files = await freePort();
  const lava = await ownLava({ LAVA_FSYNC: "on", LAVA_WEB: "4", LAVA_FILES: String(files) });
  try {
    const rest = restOf(lava.url, lava.token);
    const isServer = ({ command }: Process): boolean =>
      /gunicorn|lava-scheduler|lava-publisher|postgres/.test(command);
    const online = async (): Promise<void> =>
      until(
        async () => (await rest<{ state: string }>("GET", "workers/bench/")).state === "Online",
      );
    const dut = makeDut(lava.dir, files);
    const token = await addDevices(rest, dut);
    await lava.restart(`worker ${token}`);
    await online();
    const version = await rest<{ version: string }>("GET", "system/version/");
    return {
      name: "lava",
      about: `LAVA ${version.version} of Debian's packages, 4 web processes, PostgreSQL`,
      ...{ url: lava.url, token: lava.token, rest },
      server: () => processTree(lava.pid).filter(isServer),
      bench: () => processTree(lava.pid).filter((one) => !isServer(one)),
      roles: () => withRoles(processTree(lava.pid), lavaRole),
      pace: async (pace) => {
        await lava.restart(pace);
        await online();
      },
      setUpSeconds: (Date.now() - began) / 1000,
      close: () => lava.close(),
    };
  } catch (error) {
    await lava.close();
    throw error;
  }
}

function lavaRole(one: Process): Role | undefined {
  if (isDut(one)) return "dut";
  if (one.command.includes("lava-run")) return "runner";
  return one.command.includes("lava-worker") ? "agent" : undefined;
}

/** `pumice serve` and a worker, as README says: the single file when it has been built. */
export async function pumiceSide(): Promise<Side> {
  const began = Date.now();
  const file = path.join(root, "dist/pumice-worker-linux-x64");
  const isSingle = existsSync(file);
  const dir = mkdtempSync(path.join(tmpdir(), "pumice-bench-"));
  // A copy: whoever builds meanwhile takes away the program of which the agent starts its runners.
  const worker = path.join(dir, "pumice-worker");
  if (isSingle) copyFileSync(file, worker, constants.COPYFILE_FICLONE);
  const remove = (): void => rmSync(dir, { recursive: true, force: true });
  const given = isSingle ? { worker: [worker] as const } : {};
  const lab = await realLab({ devices: 0, ...given }).catch((error: unknown) => {
    remove();
    throw error;
  });
  const close = async (): Promise<void> => {
    await lab.close();
    remove();
  };
  try {
    const url = `${lab.url}/`;
    const rest = restOf(url, lab.adminToken);
    await addDevices(rest, makeDut(dir, undefined));
    const roleOf = (one: Process): Role =>
      one.pid === lab.agent.pid ? "agent" : isDut(one) ? "dut" : "runner";
    return {
      name: "pumice",
      about: `pumice serve by Node.js ${process.version}, worker ${isSingle ? "as one file" : "by Node.js"}`,
      ...{ url, token: lab.adminToken, rest },
      server: () => processTree(lab.server.pid!),
      bench: () => processTree(lab.agent.pid!),
      roles: () => withRoles(processTree(lab.agent.pid!), roleOf),
      setUpSeconds: (Date.now() - began) / 1000,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A worker, unless it is there, and its devices, by the very same calls for both. Returns its token, if it is new. */
async function addDevices(rest: Rest, connect: string): Promise<string> {
  const add = async <T>(where: string, body: unknown): Promise<T> => rest<T>("POST", where, body);
  const known = await rest<unknown>("GET", "workers/bench/").catch(() => undefined);
  const { token } = known
    ? { token: "" }
    : await add<{ token: string }>("workers/", { hostname: "bench" });
  await add("workers/bench/config/", { config: "dispatcher_ip: 127.0.0.1\n" });
  for (const name of [DEVICE_TYPE, PARKED_TYPE]) {
    await add("devicetypes/", { name, aliases: [] });
    await add(`devicetypes/${name}/template/`, { template: TEMPLATE });
  }
  const types = await rest<{ results: { name: string }[] }>("GET", "devicetypes/?limit=100");
  if (!types.results.some(({ name }) => name === "qemu")) {
    await add("devicetypes/", { name: "qemu", aliases: [] });
  }
  const ofShell = (type: string): string =>
    `{% extends '${type}.jinja2' %}\n{% set connection_command = '${connect}' %}\n`;
  const qemu = "{% extends 'qemu.jinja2' %}\n{% set no_kvm = True %}\n{% set memory = 256 %}\n";
  const devices = [
    ["localsh-01", DEVICE_TYPE, "Good", ofShell(DEVICE_TYPE)],
    ["parked-01", PARKED_TYPE, "Maintenance", ofShell(PARKED_TYPE)],
    ["qemu-bench", "qemu", "Good", qemu],
  ] as const;
  for (const [hostname, device_type, health, dictionary] of devices) {
    await add("devices/", { hostname, device_type, worker_host: "bench", health });
    await add(`devices/${hostname}/dictionary/`, { dictionary });
  }
  return token;
}
