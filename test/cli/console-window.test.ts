import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { ConsoleList, OpenedConsole } from "#protocol/consoles.ts";
import { findDescendants } from "../../worker/host/process-table.ts";
import { consoleLab, type ConsoleLab } from "../support/console-lab.ts";
import { until } from "../support/real-lab.ts";
import { workerProgram } from "../support/worker-program.ts";

let program: Awaited<ReturnType<typeof workerProgram>>;
let lab: ConsoleLab;
beforeAll(async () => {
  program = await workerProgram();
});
afterAll(() => program.remove());
beforeEach(async () => {
  lab = await consoleLab(program.file);
  lab.startAgent();
  await lab.reserve();
});
afterEach(() => lab.close());

const root = path.resolve(import.meta.dirname, "../..");

/** `pumice` on a pseudo-terminal of its own, whose settings are noted before and afterwards. */
function onTerminal(...args: string[]) {
  const mark = randomUUID();
  const file = (name: string): string => path.join(lab.dir, `${name}-${mark}`);
  const pumice = `'${process.execPath}' control-plane/cli/pumice.ts ${args.join(" ")}`;
  const inside = `stty -g >${file("before")}; ${pumice}; echo $? >${file("code")}; stty -g >${file("after")}`;
  const child = spawn("script", ["-qec", inside, "/dev/null"], {
    cwd: root,
    env: {
      ...process.env,
      ...{ SHELL: "/bin/sh", PUMICE_URL: lab.url, PUMICE_TOKEN: lab.admin, PUMICE_MARK: mark },
    },
  });
  let shown = "";
  child.stdout.on("data", (bytes) => (shown += String(bytes)));
  const exited = new Promise((resolve) => child.on("exit", resolve));
  const text = (name: string): string => readFileSync(file(name), "utf8").trim();
  return {
    type: (keys: string) => child.stdin.write(keys),
    shows: (what: string) => until(() => shown.includes(what)),
    /** A signal for `pumice` alone. */
    signal(name: NodeJS.Signals): void {
      const pids = findDescendants("PUMICE_MARK", mark, undefined);
      const isOurs = (pid: number): boolean =>
        existsSync(`/proc/${pid}/cmdline`) &&
        readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith(`${process.execPath}\0`);
      for (const pid of pids.filter(isOurs)) process.kill(pid, name);
    },
    async code(): Promise<number> {
      await exited;
      expect(text("after")).toBe(text("before"));
      return Number(text("code"));
    },
  };
}

test("on a terminal each key goes to the device as it is, Ctrl-C too; ~? helps, ~. leaves and gives the terminal back", async () => {
  const window = onTerminal("console", "board-01");
  await window.shows("ready");
  window.type("~?");
  await window.shows("~c  the job that waits goes on");
  window.type("\u0003\n");
  await window.shows("you said \u0003");
  window.type("~c");
  await window.shows("no job waits at this console");
  window.type("~.");
  expect(await window.code()).toBe(0);
});

test("SIGTERM gives the terminal back, and so does the end of the session or another window", async () => {
  const ended = onTerminal("console", "board-01");
  await ended.shows("ready");
  ended.signal("SIGTERM");
  expect(await ended.code()).toBe(130);

  const first = onTerminal("console", "board-01");
  await first.shows("~? says more");
  const second = await lab.open();
  first.type("late\n");
  await first.shows("another window has taken this console over");
  expect(await first.code()).toBe(1);

  const third = onTerminal("console", "board-01");
  await third.shows("~? says more");
  await lab.api("DELETE", `/consoles/${second.id}`);
  await third.shows("the console session has ended: admin has ended it");
  expect(await third.code()).toBe(1);
});

test("--read-only watches what somebody types; --power switches without a window; consoles lists, as JSON too", async () => {
  const session = await lab.api<OpenedConsole>("POST", "/consoles", { device: "board-01" });
  await lab.said(session.id, "ready");
  const watcher = onTerminal("console", "board-01", "--read-only");
  await watcher.shows("which admin has; Ctrl-C to leave");
  await lab.type(session, "hello\n");
  await watcher.shows("you said hello");
  watcher.signal("SIGINT");
  expect(await watcher.code()).toBe(0);
  const off = onTerminal("console", "board-01", "--power", "off");
  expect(await off.code()).toBe(0);
  await until(() => existsSync(path.join(lab.dir, "is-off")));
  const list = lab.cli("consoles", "board-01", "--json");
  let json = "";
  list.stdout.on("data", (bytes) => (json += String(bytes)));
  await new Promise((resolve) => list.on("close", resolve));
  expect((JSON.parse(json) as ConsoleList).consoles).toMatchObject([
    { id: session.id, state: "open", holder: "admin" },
  ]);
});

test("what is mistyped or refused ends with 2 and leaves the terminal alone", async () => {
  for (const args of [
    ["console"],
    ["console", "board-01", "--power", "up"],
    ["console", "board-01", "--read-only", "--off"],
    ["console", "board-01", "--continue"],
    ["console", "board-01", "--read-only"],
    ["console", "--job", "99"],
  ]) {
    expect(await onTerminal(...args).code(), args.join(" ")).toBe(2);
  }
});
