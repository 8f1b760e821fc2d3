import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { JobView } from "#protocol/api.ts";
import type { ConsoleOutput, ConsoleView, OpenedConsole } from "#protocol/consoles.ts";
import { serve } from "../../control-plane/serve.ts";
import { endConsolesOf } from "../../worker/services/left-consoles.ts";
import { AgentBench, kill } from "./agent-bench.ts";
import { aDeviceConfiguration } from "./builders.ts";

/** What stands for a DUT: a program that answers each line. */
const BOARD = `echo ready
while read line; do
  case "$line" in
    flood) head -c 300000 /dev/zero | tr '\\0' x; echo; echo flooded;;
    bye) exit;;
    *) echo "you said $line";;
  esac
done
`;

/** Connects, and needs nobody. */
export const CONNECTING_JOB = `
device_type: qemu
job_name: connects
visibility: public
timeouts: {job: {minutes: 2}, action: {minutes: 1}, connection: {seconds: 20}}
actions:
- boot: {method: minimal, reset: false}
`;

/** Waits for a person, then types something itself. */
const WAITING_JOB = `${CONNECTING_JOB}
- test:
    interactive:
    - name: by-hand
      prompts: ['=> ']
      script:
      - {command: null, name: person}
      - {command: after, name: after, successes: [{message: you said after}], wait_for_prompt: false}
`;

interface Plane {
  readonly url: string;
  close(): Promise<void>;
}

/** The program `pumice serve` as a process of its own; `close` kills it, as a power cut does. */
async function servingProcess(pumice: string, dataDir: string, listen: string): Promise<Plane> {
  const args = [pumice, "serve", "--data", dataDir, "--listen", listen];
  const child = spawn(process.execPath, args, { cwd: root });
  child.stdout.resume();
  let said = "";
  const url = await new Promise<string>((resolve, reject) => {
    child.on("exit", () => reject(new Error(`pumice serve has ended: ${said}`)));
    const hear = (bytes: Buffer): void => {
      said += String(bytes);
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(said)?.[0];
      if (found) resolve(found);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
  });
  return { url, close: () => kill(child) };
}

const root = path.resolve(import.meta.dirname, "../..");

/**
 * A control plane, a worker's bench and a device `board-01` of type qemu, whose console is a program. `pumice`: a file that is the
 * control plane, as a process of its own, to be killed.
 */
export async function consoleLab(
  program: string,
  commands: Record<string, string> = {},
  pumice?: string,
) {
  const dir = mkdtempSync(path.join(tmpdir(), "pumice-console-"));
  const begin = (listen: string): Promise<Plane> =>
    pumice === undefined ? serve({ dataDir: dir, listen }) : servingProcess(pumice, dir, listen);
  let serving = await begin("127.0.0.1:0");
  const { url } = serving;
  const admin = readFileSync(path.join(dir, "admin-token"), "utf8").trim();

  async function ask(method: string, where: string, body?: unknown, token = admin) {
    return fetch(`${url}/api/v1${where}`, {
      method,
      headers: { authorization: `Bearer ${token}`, connection: "close" },
      ...(body === undefined
        ? {}
        : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
  }
  async function api<T>(method: string, where: string, body?: unknown, token?: string): Promise<T> {
    const answer = await ask(method, where, body, token);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${where}: ${answer.status} ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  const { token } = await api<{ token: string }>("POST", "/workers", { name: "bench" });
  const board = path.join(dir, "board.sh");
  writeFileSync(board, BOARD);
  const all = { connect: `sh ${board}`, power_off: `touch ${path.join(dir, "is-off")}` };
  const methods = aDeviceConfiguration().replace(
    "      qemu:\n",
    "      minimal: {}\n      qemu:\n",
  );
  const putDevice = (more: Record<string, string>): Promise<unknown> => {
    const configuration = `${methods}commands: ${JSON.stringify({ ...all, ...more })}\n`;
    const device = { device_type: "qemu", worker: "bench", configuration };
    return api("PUT", "/devices/board-01", device);
  };
  await putDevice(commands);
  const bench = new AgentBench(program, token);
  const programs: ChildProcessWithoutNullStreams[] = [];
  let calls = 0;
  return {
    dir,
    url,
    admin,
    ask,
    api,
    bench,
    /** `at`: a wire to the control plane. */
    startAgent: (at = url, env: Readonly<Record<string, string>> = {}) =>
      bench.startProcess(at, undefined, env),
    putDevice,
    /** A job that connects to the device and waits for a person, then types something itself. */
    async submit(definition = WAITING_JOB): Promise<number> {
      const { job_ids } = await api<{ job_ids: [number] }>("POST", "/jobs", definition);
      return job_ids[0];
    },
    job: (id: number) => api<JobView>("GET", `/jobs/${id}`),
    /** The program `pumice` as a process of its own, as an administrator. */
    cli(...args: string[]): ChildProcessWithoutNullStreams {
      const child = spawn(process.execPath, ["control-plane/cli/pumice.ts", ...args], {
        cwd: root,
        env: { ...process.env, PUMICE_URL: url, PUMICE_TOKEN: admin },
      });
      programs.push(child);
      return child;
    },
    reserve: (seconds = 3600) =>
      api<{ until: string }>("POST", "/reservations", { device: "board-01", seconds }),
    open: (what: object = { device: "board-01" }) => api<OpenedConsole>("POST", "/consoles", what),
    type: ({ id, writer }: OpenedConsole, text: string, call = String(++calls)) =>
      ask("POST", `/consoles/${id}/input`, {
        ...{ writer, call, data: Buffer.from(text).toString("base64") },
      }),
    /** Reads until the text is there, as a person watches. */
    async said(id: string, text: string, watcher?: string, times = 1): Promise<string> {
      let said = "";
      for (let from = 0; said.split(text).length <= times;) {
        const where = `/consoles/${id}/output?from=${from}&hold=20`;
        const output = await api<ConsoleOutput>("GET", where, undefined, watcher);
        for (const { data } of output.pieces) said += Buffer.from(data, "base64").toString();
        from = output.next;
        if (output.state === "ended" && output.pieces.length === 0) {
          throw new Error(`ended (${output.reason}) before ${text}: ${said.slice(-300)}`);
        }
      }
      return said;
    },
    /** The session once it has ended. */
    async ended(id: string): Promise<ConsoleView> {
      for (let from = 0; ;) {
        const where = `/consoles/${id}/output?from=${from}&hold=20`;
        const { state, next, pieces } = await api<ConsoleOutput>("GET", where);
        if (state === "ended" && pieces.length === 0) return api("GET", `/consoles/${id}`);
        from = next;
      }
    },
    /** The same address and data afterwards; what happens `meanwhile` finds nobody. */
    async restart(meanwhile?: () => Promise<void>): Promise<void> {
      await serving.close();
      await meanwhile?.();
      serving = await begin(new URL(url).host);
    },
    async close(): Promise<void> {
      for (const child of programs) if (child.exitCode === null) child.kill("SIGKILL");
      await bench.close();
      // Its agents are killed.
      endConsolesOf(bench.workDir);
      await serving.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
export type ConsoleLab = Awaited<ReturnType<typeof consoleLab>>;
