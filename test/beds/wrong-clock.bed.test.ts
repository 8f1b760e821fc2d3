import { execFileSync, spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { JobView, LogPage, SubmitResponse, WorkerView } from "#protocol/api.ts";
import type { Enrolment } from "#protocol/enrol.ts";
import { pinOf } from "../../control-plane/cli/server-pin.ts";
import { serve, type Serving } from "../../control-plane/serve.ts";
import { root, until } from "../support/real-lab.ts";
import { selfSigned } from "../support/self-signed.ts";
import { guestDevice, guestJob, standInGuest } from "../support/stand-in-guest.ts";
import { programPath } from "./container-bed.ts";
import { startFileShelf, type FileShelf } from "./file-shelf.ts";
import { makeGuest } from "./guest.ts";

/*
 * The single file on a machine whose clock is wrong from its boot on: a Debian kernel in QEMU with a real-time clock of its own,
 * which reaches this machine's loopback by QEMU's network. Its DUT is a shell script on that machine.
 */

let folder: string;
let shelf: FileShelf;
let serving: Serving;
let tls: { cert: string; key: string };
let guest: string;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-clock-"));
  guest = await makeGuest(console.error, "amd64");
  execFileSync(path.join(root, "scripts/build"), ["x64", "--out", folder], { stdio: "ignore" });
  tls = selfSigned(folder, "lab");
  shelf = await startFileShelf({ "machine.tar": packMachine() });
  serving = await serve({ dataDir: path.join(folder, "data"), listen: "127.0.0.1:0", tls });
}, 600_000);
afterAll(async () => {
  await serving.close();
  await shelf.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What the guest's busybox lacks: the worker, what it starts, the libraries of both, and the DUT. */
function packMachine(): string {
  const tree = path.join(folder, "tree");
  mkdirSync(path.join(tree, "root/bin"), { recursive: true });
  const add = (program: string, at: string): void => {
    copyFileSync(program, path.join(tree, at));
    const needed = execFileSync("ldd", [program], { encoding: "utf8" });
    for (const [library] of needed.matchAll(/\/\S+/g)) {
      mkdirSync(path.join(tree, path.dirname(library)), { recursive: true });
      copyFileSync(library, path.join(tree, library));
    }
  };
  add(path.join(folder, "pumice-worker-linux-x64"), "root/worker");
  for (const name of ["tar", "mke2fs", "debugfs"]) add(programPath(name), `root/bin/${name}`);
  copyFileSync(tls.cert, path.join(tree, "root/lab.pem"));
  const waits =
    'eval "$(echo \'run_tests() { echo begun; while [ ! -e /root/go ]; do sleep 1; done; echo "<LAVA_SIGNAL_STARTRUN 0_demo 7_1.1.2.1>"; echo "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=alive RESULT=pass>"; echo "<LAVA_SIGNAL_ENDRUN 0_demo 7_1.1.2.1>"; }\')"';
  standInGuest(path.join(tree, "root"), `${waits}\necho 'Linux version 6.1'; shell`);
  const archive = path.join(folder, "machine.tar");
  execFileSync("tar", ["-C", tree, "-cf", archive, "."]);
  return archive;
}

let machine: Machine | undefined;
afterEach(async () => {
  await machine?.close();
  machine = undefined;
});

/** A machine at its prompt. */
interface Machine {
  /** Types a command and says what it printed. */
  readonly run: (command: string) => Promise<string>;
  close(): Promise<void>;
}

async function boot(clock: string): Promise<Machine> {
  const qemu = spawn("qemu-system-x86_64", [
    ...["-accel", "tcg", "-cpu", "max", "-m", "1024", "-nodefaults", "-display", "none"],
    ...["-rtc", `base=${clock}`, "-serial", "stdio"],
    ...["-kernel", path.join(guest, "vmlinuz"), "-initrd", path.join(guest, "initramfs.cpio.gz")],
    ...["-append", "console=ttyS0 ip=dhcp quiet"],
    ...["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="],
  ]);
  const said = heard(qemu);
  const type = (text: string): void => void qemu.stdin.write(`${text}\n`);
  await said.until(/root@pumice:~# /);
  let count = 0;
  const run = async (command: string): Promise<string> => {
    count += 1;
    type(`(${command}); echo "<""${count} $?>"`);
    const text = await said.until(new RegExp(`<${count} \\d+>`));
    return text.slice(text.indexOf("\n") + 1);
  };
  const again = "udhcpc -i eth0 -n -q -t 2 -T 1 -s /bin/dhcp-script";
  const fetch = `wget -q -O - ${inGuest(shelf.url)}/machine.tar | tar xf - -C /`;
  await run(`until ${fetch} && [ -e /root/worker ]; do ${again}; done`);
  const close = async (): Promise<void> => {
    qemu.kill("SIGKILL");
    if (qemu.exitCode === null && qemu.signalCode === null) await once(qemu, "exit");
  };
  return { run, close };
}

/** What a machine says, and a wait for it. */
function heard(qemu: ChildProcessWithoutNullStreams): { until(what: RegExp): Promise<string> } {
  let seen = "";
  let wake = (): void => {};
  qemu.stdout.setEncoding("utf8").on("data", (text: string) => {
    seen += text;
    wake();
  });
  qemu.once("exit", () => wake());
  return {
    until: async (what) => {
      for (;;) {
        const found = what.exec(seen);
        if (found) {
          const text = seen.slice(0, found.index + found[0].length);
          seen = seen.slice(text.length);
          return text;
        }
        if (qemu.exitCode !== null) throw new Error(`the machine ended: ${seen.slice(-2000)}`);
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}

const inGuest = (url: string): string => url.replace("127.0.0.1", "10.0.2.2").replace(/\/$/, "");
const ENROL = "cd /root && PUMICE_CA_FILE=/root/lab.pem /root/worker enrol";

test.each([
  ["1970-01-02T00:00:00", "1970-01-0", /is not valid yet.*clock says 1970/s],
  ["2040-01-01T00:00:00", "2040-01-0", /has expired.*clock says 2040/s],
])(
  "a machine that believes it is %s enrols by a pin, says so, and runs a job over a clock that is set",
  async (clock, day, refusal) => {
    machine = await boot(clock);
    const { run } = machine;
    expect(await run("date -u +%F")).toContain(day);
    const name = `bench-${clock.slice(0, 4)}`;
    const { code } = await ask<Enrolment>("POST", `/workers/${name}/enrolment`, { add: true });
    const url = inGuest(serving.url);
    // By authorities the clock decides; the pin of a code does without.
    expect(await run(`${ENROL} ${url} ${code}`)).toMatch(refusal);
    const pin = pinOf(readFileSync(tls.cert, "utf8"));
    expect(await run(`/root/worker enrol ${url} ${code}:${pin}`)).toMatch(/<\d+ 0>$/);
    await run("PATH=/root/bin:$PATH PUMICE_MIN_FREE_MB=1 /root/worker start >/root/log 2>&1 &");
    const worker = (): Promise<WorkerView> => ask("GET", `/workers/${name}`);
    await until(async () => (await worker()).state === "Online");
    expect(await run("cat /root/log")).toMatch(
      new RegExp(`this machine's clock says ${day}.*, the control plane's ${thisYear()}`),
    );
    await ask("PUT", "/devices/board-1", {
      device_type: "qemu",
      worker: name,
      configuration: guestDevice("/root/stand-in-guest"),
    });
    const began = Date.now();
    const job = guestJob("/root/lab.pem", { withTest: true })
      .replace("job: {minutes: 1}", "job: {minutes: 10}")
      .replace("action: {seconds: 30}", "action: {minutes: 5}");
    const { job_ids } = await ask<SubmitResponse>("POST", "/jobs", `device_type: qemu\n${job}`);
    const id = Number(job_ids[0]);
    const log = (): Promise<LogPage> => ask("GET", `/jobs/${id}/log`);
    const isOver = async (): Promise<boolean> =>
      (await ask<JobView>("GET", `/jobs/${id}`)).state === "Finished";
    const hasBegun = async (): Promise<boolean> =>
      (await log()).records.some(({ msg }) => String(msg).endsWith("begun"));
    await until(async () => (await hasBegun()) || (await isOver()));
    // As by hand: first to another wrong time, then to the right one.
    await run(`date -u -s "2033-03-03 03:03:03"; sleep 2; date -u -s @${now()}; touch /root/go`);
    await until(isOver);
    const { records } = await log();
    const text = records.map((record) => JSON.stringify(record)).join("\n");
    expect(await ask<JobView>("GET", `/jobs/${id}`), text).toMatchObject({ health: "Complete" });
    const took = (Date.now() - began) / 1000;
    const durations = [...text.matchAll(/"duration":"([\d.]+)"/g)].map(([, value]) =>
      Number(value),
    );
    expect(durations.length).toBeGreaterThan(3);
    expect(Math.max(...durations)).toBeLessThanOrEqual(took);
    // Records have the control plane's time while the machine's is wrong; between two looks at it a jump may show.
    const first = Date.parse(`${String(records[0]?.dt).slice(0, 19)}Z`);
    expect(Math.abs(first - began)).toBeLessThan(took * 1000 + 60_000);
    expect(await run("/root/worker doctor")).toMatch(/^ok +clock/m);
  },
  900_000,
);

const now = (): number => Math.round(Date.now() / 1000);
const thisYear = (): number => new Date().getUTCFullYear();

/** By the certificate's own word: it is the test that made it. */
async function ask<T>(method: string, where: string, body?: object | string): Promise<T> {
  const { Agent, request } = await import("node:https");
  const token = readFileSync(path.join(folder, "data/admin-token"), "utf8").trim();
  const agent = new Agent({ ca: readFileSync(tls.cert) });
  const isText = typeof body === "string";
  const headers = {
    authorization: `Bearer ${token}`,
    "content-type": isText ? "application/yaml" : "application/json",
  };
  const text = await new Promise<string>((resolve, reject) => {
    const target = new URL(`/api/v1${where}`, serving.url);
    const sent = request(target, { agent, method, headers }, (answer) => {
      let said = "";
      answer.on("data", (data: Buffer) => (said += String(data)));
      answer.on("end", () => {
        if ((answer.statusCode ?? 500) < 300) resolve(said);
        else reject(new Error(`${method} ${where}: ${answer.statusCode} ${said}`));
      });
    });
    sent
      .on("error", reject)
      .end(body === undefined ? undefined : isText ? body : JSON.stringify(body));
  });
  agent.destroy();
  return JSON.parse(text === "" ? "null" : text) as T;
}
