import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { WorkerView } from "#protocol/api.ts";
import type { Enrolment } from "#protocol/enrol.ts";
import { serve, type Serving } from "../../control-plane/serve.ts";
import { root } from "../support/real-lab.ts";
import { bootScript, lacksForInits, makeInitTree } from "./init-tree.ts";

/*
 * The single file under Debian's real runit and OpenRC: a Debian of our own in namespaces of its own, whose first process is
 * the script below. It reaches this machine's loopback.
 */

const problem = lacksForInits();
if (problem !== undefined) console.warn(`skipped: ${problem}`);

let folder: string;
let archive: string;
let worker: string;
let serving: Serving;
beforeAll(async () => {
  if (problem !== undefined) return;
  folder = mkdtempSync(path.join(tmpdir(), "pumice-inits-"));
  archive = makeInitTree(console.error);
  execFileSync(path.join(root, "scripts/build"), ["x64", "--out", folder], { stdio: "ignore" });
  worker = path.join(folder, "pumice-worker-linux-x64");
  serving = await serve({ dataDir: path.join(folder, "data"), listen: "127.0.0.1:0" });
}, 600_000);
afterAll(async () => {
  await serving?.close();
  if (folder) rmSync(folder, { recursive: true });
});

/** How each of them is spoken to. */
interface Init {
  readonly boot: string;
  /** It waits for the settings. */
  readonly waits: string;
  readonly stop: string;
  readonly start: string;
  /** The supervisor's program, as far as a process's name goes. */
  readonly supervisor: string;
  readonly log: string;
}

const INITS: Readonly<Record<"runit" | "openrc", Init>> = {
  runit: {
    // A log for services that Debian has and this small one lacks the folder of.
    boot: "rm -rf /etc/runit/runsvdir/default/default-syslog; runsvdir -P /etc/service & within test -e /etc/sv/pumice-worker/supervise/ok",
    waits: "within pgrep -f -x 'sleep 60'",
    stop: "sv stop pumice-worker",
    start: "sv start pumice-worker",
    supervisor: "runsv",
    log: "/var/log/pumice-worker/current",
  },
  openrc: {
    // Some of Debian's own scripts want what only its sysvinit has.
    boot: "rm -f /etc/runlevels/sysinit/*; openrc sysinit; openrc boot; openrc default; [ -e /run/openrc/softlevel ]",
    waits: "! rc-service pumice-worker start && ! agent",
    stop: "rc-service pumice-worker stop",
    start: "rc-service pumice-worker start",
    supervisor: "supervise-daemo",
    log: "/var/log/pumice-worker.log",
  },
};

/** `agent` prints the agent's process number; `within` waits for a command to succeed. */
const TOOLS = `
agent() { pgrep -x -u pumice-worker current; }
within() { for try in $(seq 40); do "$@" >/dev/null && return; sleep 1; done; return 1; }
another() { new=$(agent) && [ "$new" != "$1" ]; }
connected() { [ "$(cat $log* | grep -c "connected to the control plane")" -ge $1 ]; }
gone() { ! pgrep -x $1; }
started() { [ "$(wc -l </tmp/starts)" -ge $1 ]; }
`;

/** What is tried, by name. */
const cases = (name: string, init: Init, line: string): Record<string, string> => ({
  boot: init.boot,
  waits: init.waits,
  enrol: `${line} | tee /run/said && grep -e "The service runs: tail -F ${init.log}" /run/said`,
  syncs: "within connected 1",
  user: "[ $(stat -c %U /proc/$(agent)) = pumice-worker ]",
  groups: "grep -w $(getent group dialout | cut -d: -f3) /proc/$(agent)/status",
  home: "tr '\\0' '\\n' </proc/$(agent)/environ | grep -x HOME=/var/lib/pumice-worker",
  ports: "grep CapAmb:.*0400$ /proc/$(agent)/status",
  log: `[ "$(stat -c %U ${init.log})" = pumice-worker ]`,
  again: `/root/worker install --init ${name} | tee /run/again; ! grep ^done: /run/again | grep -v -e restart && within connected 2`,
  killed: "old=$(agent) && kill -9 $old && within another $old && within connected 3",
  stop: `${init.stop} && ! agent && sleep 4 && ! agent`,
  start: `${init.start} && within agent && within connected 4`,
  // As an agent ends that gives its place to a newer version (0), or can't go on (1, 2).
  ended: `${init.stop} && cd /usr/local/lib/pumice-worker && was=$(readlink current) && printf '#!/bin/sh\\nset -- $(wc -l </tmp/starts)\\necho >>/tmp/starts\\nexit $(($1 %% 3))\\n' >ends && chmod +x ends && ln -sfn ends current && touch /tmp/starts && chmod 666 /tmp/starts && { ${init.start}; within started 4; } && ln -sfn $was current && within connected 5`,
  uninstall: `pumice-worker install --uninstall --init ${name} && ! agent && within gone ${init.supervisor} && [ ! -e /usr/local/lib/pumice-worker ] && [ ! -e /etc/init.d/pumice-worker ] && [ ! -e /etc/sv/pumice-worker ]`,
});

test.skipIf(problem).each(["runit", "openrc"] as const)(
  "%s starts what install put into an image, once it is enrolled, and again whenever it ends",
  async (name) => {
    const init = INITS[name];
    const tree = path.join(folder, name);
    mkdirSync(tree);
    execFileSync("tar", ["-C", tree, "-xf", archive]);
    copyFileSync(worker, path.join(tree, "root/worker"));
    execFileSync(worker, ["install", "--root", tree, "--init", name], { stdio: "ignore" });
    const bench = `bench-${name}`;
    const { code } = await ask<Enrolment>(`/workers/${bench}/enrolment`, { add: true });
    const line = `pumice-worker enrol ${serving.url.replace(/\/$/, "")} ${code}`;
    const wanted = cases(name, init, line);
    const steps = Object.entries(wanted).map(
      ([title, command]) =>
        `( ${command}\n) >/tmp/said 2>&1 && echo "case ${title} pass" || { echo "case ${title} fail"; cat /tmp/said; }`,
    );
    writeFileSync(
      path.join(tree, "script"),
      `log=${init.log}\n${TOOLS}${steps.join("\n")}\ncat $log*\n`,
    );
    const said = await boot(tree);
    const results = [...said.matchAll(/^case (\S+) (pass|fail)$/gm)].map((found) => found.slice(1));
    expect(results, said).toEqual(Object.keys(wanted).map((title) => [title, "pass"]));
    expect(await ask<WorkerView>(`/workers/${bench}`)).toMatchObject({
      enrolled: expect.any(String),
      last_sync: expect.any(String),
    });
  },
  600_000,
);

/** Runs the system until its script ends; what it said. */
async function boot(tree: string): Promise<string> {
  const system = spawn(...bootScript(tree), { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [system.stdout, system.stderr]) {
    stream?.on("data", (data: Buffer) => (said += String(data)));
  }
  await once(system, "close");
  return said;
}

async function ask<T>(where: string, body?: object): Promise<T> {
  const token = readFileSync(path.join(folder, "data/admin-token"), "utf8").trim();
  const answer = await fetch(new URL(`/api/v1${where}`, serving.url), {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return (await answer.json()) as T;
}
