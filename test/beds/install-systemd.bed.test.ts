import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import type { WorkerView } from "#protocol/api.ts";
import type { Enrolment } from "#protocol/enrol.ts";
import { pinOf } from "../../control-plane/cli/server-pin.ts";
import { serve, type Serving } from "../../control-plane/serve.ts";
import { root } from "../support/real-lab.ts";
import { runOnBed } from "../support/run-on-bed.ts";
import { selfSigned } from "../support/self-signed.ts";
import { start, type DebianBed } from "./debian-disk.ts";
import { startFileShelf, type FileShelf } from "./file-shelf.ts";

/*
 * The single file on a machine with a real systemd: a Debian in QEMU, which is the device of a job of ours. It reaches this
 * machine's loopback by QEMU's own network.
 */

let folder: string;
let bed: DebianBed;
let shelf: FileShelf;
let serving: Serving;
let tls: { cert: string; key: string };
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-install-"));
  bed = await start(folder, console.error);
  execFileSync(path.join(root, "scripts/build"), ["x64", "--out", folder], { stdio: "ignore" });
  shelf = await startFileShelf({ worker: path.join(folder, "pumice-worker-linux-x64") });
  tls = selfSigned(folder, "lab");
  serving = await serve({ dataDir: path.join(folder, "data"), listen: "127.0.0.1:0", tls });
}, 600_000);
afterAll(async () => {
  await serving.close();
  await shelf.close();
  await bed.close();
  rmSync(folder, { recursive: true });
});

const inGuest = (url: string): string => url.replace("127.0.0.1", "10.0.2.2").replace(/\/$/, "");

/** What the guest runs, a test case each, by name. */
const cases = (line: string): Record<string, string> => ({
  // Debian's smallest has apt, but neither curl nor wget.
  file: `for try in $(seq 30); do ip route | grep -q default && break; sleep 1; done; /usr/lib/apt/apt-helper download-file ${inGuest(shelf.url)}/worker /root/worker && chmod +x /root/worker`,
  install: "/root/worker install --hardened",
  // What it starts is as confined as the worker: namespaces for QEMU, no other; nothing else to write to.
  confined:
    "mkdir -m 777 /srv/all && printf \"[Service]\\nExecStartPost=/bin/sh -c 'unshare -Um true && ! unshare -Un true && ! touch /srv/all/x'\\n\" > /etc/systemd/system/pumice-worker.service.d/tried.conf && systemctl daemon-reload",
  waits:
    '[ "$(systemctl is-active pumice-worker)" = inactive ] && systemctl is-enabled pumice-worker',
  again: "/root/worker install | tee /run/again; ! grep ^done: /run/again | grep -v systemctl",
  enrol: line,
  active: "systemctl is-active pumice-worker",
  user: '[ "$(stat -c %U /proc/$(systemctl show -P MainPID pumice-worker))" = pumice-worker ]',
  ports: "grep CapAmb:.*0400$ /proc/$(systemctl show -P MainPID pumice-worker)/status",
  "read-only":
    'nsenter -t $(systemctl show -P MainPID pumice-worker) -m sh -c "! touch /etc/x && touch /usr/local/lib/pumice-worker/x /etc/pumice-worker/x"',
  // As a runner is: a process of the service that is not the agent.
  runner:
    "sleep 1000 & echo $! | tee /run/runner >/sys/fs/cgroup/system.slice/pumice-worker.service/cgroup.procs",
  killed:
    "old=$(systemctl show -P MainPID pumice-worker); [ $old -gt 1 ] && kill -9 $old; for try in $(seq 30); do new=$(systemctl show -P MainPID pumice-worker); [ $new != 0 ] && [ $new != $old ] && exit; sleep 1; done; exit 1",
  stop: "systemctl stop pumice-worker && kill -0 $(cat /run/runner)",
  start: "systemctl start pumice-worker && systemctl is-active pumice-worker",
  syncs:
    "for try in $(seq 60); do journalctl -u pumice-worker | grep -c 'connected to the control plane' | grep -q '^[23]' && exit; sleep 1; done; journalctl -u pumice-worker; exit 1",
  doctor:
    "setpriv --reuid pumice-worker --regid pumice-worker --clear-groups pumice-worker doctor | tee /run/doctor; grep -q '^ok *token' /run/doctor && grep -q '^ok *tls' /run/doctor",
  uninstall:
    "rm /etc/systemd/system/pumice-worker.service.d/tried.conf && pumice-worker install --uninstall && ! systemctl cat pumice-worker && [ ! -e /usr/local/lib/pumice-worker ]",
});

test("systemd starts what install installed, once it is enrolled, and again when it ends", async () => {
  const token = readFileSync(path.join(folder, "data/admin-token"), "utf8").trim();
  const { code } = await ask<Enrolment>("/workers/bench/enrolment", token, { add: true });
  const pin = pinOf(readFileSync(tls.cert, "utf8"));
  const wanted = cases(`pumice-worker enrol ${inGuest(serving.url)} ${code}:${pin}`);
  const job = parse(bed.job) as {
    timeouts: object;
    actions: { test?: { definitions: { repository: { run: { steps: string[] } } }[] } }[];
  };
  const patience = { minutes: 12 };
  const actions = { "auto-login-action": patience, "lava-test-shell": patience };
  job.timeouts = { job: { minutes: 24 }, action: patience, actions, connection: patience };
  job.actions.at(-1)!.test!.definitions[0]!.repository.run.steps = Object.entries(wanted).map(
    ([name, command]) => `lava-test-case ${name} --shell '${command.replaceAll("'", `'\\''`)}'`,
  );
  // The file's runtime wants a processor of this decade.
  const cpu = '{% set extra_options = ["-cpu", "max"] %}\n{% set memory = 1024 %}\n';
  const dictionary = `{% extends 'qemu.jinja2' %}\n{% set no_kvm = true %}\n${cpu}`;
  const ran = await runOnBed({ ...bed, job: stringify(job), dictionary });
  expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
  const results = ran.results.filter(({ definition }) => definition === "0_debian");
  expect(
    results.map(({ case: name, result }) => [name, result]),
    ran.text,
  ).toEqual(Object.keys(wanted).map((name) => [name, "pass"]));
  const worker = await ask<WorkerView>("/workers/bench", token);
  expect(worker).toMatchObject({ enrolled: expect.any(String), last_sync: expect.any(String) });
}, 1_500_000);

/** By the certificate's own word: it is the test that made it. */
async function ask<T>(where: string, token: string, body?: object): Promise<T> {
  const { Agent, request } = await import("node:https");
  const agent = new Agent({ ca: readFileSync(tls.cert) });
  const text = await new Promise<string>((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` };
    const method = body === undefined ? "GET" : "POST";
    const sent = request(`${serving.url}/api/v1${where}`, { agent, method, headers }, (answer) => {
      let said = "";
      answer.on("data", (data: Buffer) => (said += String(data)));
      answer.on("end", () => resolve(said));
    });
    sent.on("error", reject).end(body === undefined ? undefined : JSON.stringify(body));
  });
  agent.destroy();
  return JSON.parse(text) as T;
}
