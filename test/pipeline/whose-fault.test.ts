import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { BootBlock } from "#protocol/job-actions.ts";
import { bootloaderCommands } from "../../worker/actions/bootloader/commands.ts";
import { bootloaderOverlay } from "../../worker/actions/bootloader/overlay.ts";
import { bootloaderInterrupt } from "../../worker/actions/bootloader/interrupt.ts";
import { connect } from "../../worker/actions/connection/connect-device.ts";
import { loginSteps } from "../../worker/actions/login/login.ts";
import { runInShell } from "../../worker/actions/login/shell-command.ts";
import { pduReboot } from "../../worker/actions/power/power-actions.ts";
import { Console } from "../../worker/console/console.ts";
import { readConnectionCommand } from "../../worker/drivers/connection-command.ts";
import { download, probeDownload } from "../../worker/host/download.ts";
import { gitClone } from "../../worker/host/git-clone.ts";
import { requireTool } from "../../worker/host/tool.ts";
import type { Action, JobContext } from "../../worker/pipeline/action.ts";
import { kernelReportsOf } from "../../worker/kernel/console-kernel.ts";
import type { Group } from "../../worker/pipeline/group.ts";
import { JobFailure } from "../../worker/pipeline/job-failure.ts";
import { consoleSlot } from "../../worker/pipeline/job-slots.ts";
import type { StrategyContext } from "../../worker/pipeline/strategy.ts";
import { echoingShell } from "../support/echoing-shell.ts";
import { onConsole } from "../support/on-console.ts";
import { aJobContext, run, type Ran } from "../support/plan-of.ts";
import { aMember, standInGroup } from "../support/stand-in-group.ts";
import { standInLoader } from "../support/stand-in-loader.ts";

/** Each row of docs/failures.md that is about the worker happens here. */

let folder: string;
let server: http.Server;
let url: string;
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-fault-"));
  server = http.createServer((request, response) => {
    response.writeHead(request.url === "/broken" ? 503 : request.url === "/none" ? 404 : 200);
    response.end("content");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  if (server.listening) await once(server.close(), "close");
  rmSync(folder, { recursive: true, force: true });
});

const CAUSES: Record<string, () => Promise<Ran>> = {
  "The board says nothing from its power-on, reset or connection on, until a time-out for its login":
    () => login("exec sleep 60"),
  "The board speaks, but the prompt does not come": () => login("echo hello; exec sleep 60"),
  "The console closes": () => login("echo bye"),
  "The console can't be opened": () => {
    const target = readConnectionCommand("serial:///dev/no-such-port");
    const uart = { name: "uart0", target, endTag: undefined };
    return run({ name: "block", run: (context) => connect(context, uart) }, { job: short(3) });
  },
  "The kernel panics, even when the console closes then": () =>
    login("echo 'Linux version 6.1'; echo 'Kernel panic - not syncing: no init found'"),
  "The kernel panics between login and tests, and the console closes": () =>
    run(
      onConsole(
        { script: "read -r go; echo '[    9.123456] Kernel panic - not syncing: no init found'" },
        [
          {
            name: "listen",
            run: async ({ connection }) => {
              const console = connection.take(consoleSlot);
              kernelReportsOf(console);
              await console.sendLine("go");
            },
          },
          {
            name: "wait",
            run: async ({ connection, signal }) => {
              const wait = { timeoutSeconds: 20, signal };
              await connection.take(consoleSlot).expect({ prompt: /dut# /g }, wait);
            },
          },
        ],
      ),
    ),
  "The system says `Login incorrect`": () =>
    login(
      "stty -echo 2>/dev/null; echo 'Linux version 6.1'; printf 'dut login: '; read -r name; " +
        "printf '%s\\r\\nPassword: ' \"$name\"; read -r word; printf '\\r\\nLogin incorrect\\r\\n'; exec sleep 60",
      20,
    ),
  "The bootloader does not come to its prompt": () =>
    onLoader("echo garbage; exec sleep 60", [bootloaderInterrupt("u-boot")]),
  "The bootloader says one of the device's error messages": () =>
    onLoader(standInLoader(folder, { answers: { tftp: "Retry count exceeded; 7 times" } }), [
      bootloaderOverlay("u-boot", { method: "u-boot", commands: ["tftp"] }),
      bootloaderInterrupt("u-boot"),
      bootloaderCommands("u-boot", { method: "u-boot", commands: ["tftp"] }),
    ]),
  "Nothing can be typed any more: what comes back is damaged each time": () => {
    const noisy = echoingShell((character, attempt) => `${character}${attempt}`);
    const prompts = ["\\$ "];
    const type: Action = {
      name: "type",
      needs: [consoleSlot],
      run: async ({ slots, log, signal }) => {
        const shell = { console: slots.take(consoleSlot), prompts, log, signal };
        await runInShell({ ...shell, timeoutSeconds: 20 }, "#");
        await runInShell({ ...shell, timeoutSeconds: 20 }, "ls");
      },
    };
    const open: Action = {
      name: "open",
      gives: [consoleSlot],
      run: async ({ slots, log }) =>
        slots.put(
          consoleSlot,
          new Console(noisy, { log: (level, words) => log.write(level, words) }),
        ),
    };
    return run({ name: "block", steps: [open, type] });
  },
  "A power command fails": () => powered({ hard_reset: "false" }),
  "The device has no command that the job needs": () => powered({}),
  "A program is missing on the worker": () =>
    run({ name: "block", validate: async () => requireTool("no-such-program") }),
  "The host of a download is down": async () => {
    await once(server.close(), "close");
    return doing(() => download({ url, target: path.join(folder, "file"), backoffMs: 0 }));
  },
  "The server of a download is broken (5xx, 429)": () =>
    doing(() => probeDownload({ url: `${url}/broken`, backoffMs: 0 })),
  "A download is not there": () =>
    run({ name: "block", validate: () => probeDownload({ url: `${url}/none`, backoffMs: 0 }) }),
  "A download's checksum is another one": () => {
    const target = path.join(folder, "file");
    return doing(() => download({ url, target, checksums: { md5: "0".repeat(32) } }));
  },
  "A repository can't be cloned": () =>
    doing(() =>
      gitClone({ url: `file://${folder}/none`, target: path.join(folder, "git"), pauseMs: 1 }),
    ),
  "A test takes too long": () =>
    run({ name: "block", onTimeout: "LAVATimeout", run: forever }, { job: short(1) }),
  "The job takes too long": () =>
    run(
      { name: "block", run: forever },
      { job: aJobContext({ timeouts: { job: { seconds: 1 } } }) },
    ),
  "The worker's disk is full": () =>
    doing(() => Promise.reject(Object.assign(new Error("no space left"), { code: "ENOSPC" }))),
  "An error that nobody planned": () => doing(() => Promise.reject(new TypeError("x is not"))),
  "Cleaning up after the job fails": () =>
    doing(async ({ defer }) => defer(() => Promise.reject(new Error("still mounted")))),
  "The job is canceled": () => {
    const cancel = new AbortController();
    cancel.abort(new JobFailure("Canceled", "The job was canceled"));
    const signals = { cancel: cancel.signal, cancelAgain: new AbortController().signal };
    return run({ name: "block", run: forever }, { signals });
  },
  "The other members of a multinode job do not start": () =>
    run({ name: "block" }, { job: member(standInGroup({ starts: "timeout" })) }),
};

const text = readFileSync(new URL("../../docs/failures.md", import.meta.url), "utf8");
const [, part = ""] = /## On the worker([^]*?)\n## /.exec(text) ?? [];
const rows = [...part.matchAll(/^\| (?!What|-)(.+?) \| (\w+) \| (.+?) \|$/gm)].map(
  ([, what = "", type = "", evidence = ""]) => ({ what, type, evidence }),
);

test("the page has a row for whatever happens here, and nothing else", () => {
  expect(rows.map(({ what }) => what)).toEqual(Object.keys(CAUSES));
});

test.each(rows)("$what: $type", async ({ what, type, evidence }) => {
  const { outcome, records } = await CAUSES[what]!();
  expect(outcome, JSON.stringify(records.slice(-12), undefined, 1)).toMatchObject({
    result: "fail",
    error_type: type,
  });
  const shown = Object.keys(outcome.evidence ?? {}).toSorted((a, b) => b.localeCompare(a));
  // Whoever knows a pattern as well may say so.
  if (evidence === "none") expect(shown).toEqual([]);
  else expect(shown).toEqual(expect.arrayContaining(evidence.split(", ")));
  if (outcome.evidence?.line !== undefined) expect(records[outcome.evidence.line]).toBeDefined();
});

test("the evidence of a board that speaks is the last that it said, that of a silent one what was awaited", async () => {
  const spoke = await login("echo hello; exec sleep 60");
  expect(spoke.records[spoke.outcome.evidence!.line!]).toMatchObject({
    lvl: "target",
    msg: "hello",
  });
  const silent = await login("exec sleep 60");
  expect(silent.outcome.evidence?.pattern).toContain("Linux version");
  expect(silent.outcome.error_msg).toContain("the board has not said a single character");
});

test("a board that is switched on again is silent when it says nothing then, whatever it said before", async () => {
  const said = "echo 'Linux version 6.1'; echo '=> '; exec sleep 60";
  const steps = loginSteps({ method: "minimal", prompts: ["dut# "] }, {} as StrategyContext);
  const hear: Action = {
    name: "hear",
    run: async ({ connection, signal }) => {
      const wait = { timeoutSeconds: 20, signal };
      await connection.take(consoleSlot).expect({ prompt: /=> /g }, wait);
    },
  };
  const job = quick({ hard_reset: "true" });
  const { outcome } = await run(onConsole({ script: said }, [hear, pduReboot, ...steps]), { job });
  expect(outcome.error_type).toBe("Infrastructure");
});

const member = (group: Group): JobContext => ({ ...aJobContext(aMember()), group });

const forever = (): Promise<void> => new Promise(() => {});

const doing = (work: (context: Parameters<NonNullable<Action["run"]>>[0]) => Promise<unknown>) =>
  run({ name: "block", run: async (context) => void (await work(context)) });

const short = (seconds: number): JobContext =>
  aJobContext({ timeouts: { job: { minutes: 1 }, actions: { block: { seconds } } } });

/** A job whose waits for a board end after a second. */
function quick(commands: Record<string, string>, seconds = 1): JobContext {
  const names = ["block", "auto-login-action", "login-action", "bootloader-interrupt"];
  const job = aJobContext({
    timeouts: {
      job: { minutes: 1 },
      actions: Object.fromEntries(
        names.map((name) => [name, { seconds: name === "block" ? 30 : seconds }]),
      ),
    },
  });
  const device = {
    ...job.device,
    commands,
    constants: { "u-boot": { "error-messages": ["TIMEOUT", "Retry count exceeded; \\d+"] } },
    actions: { ...job.device.actions, boot: { methods: { "u-boot": { parameters: {} } } } },
  };
  return { ...job, device } as JobContext;
}

function login(script: string, seconds = 1): Promise<Ran> {
  const block: BootBlock = {
    method: "minimal",
    prompts: ["dut# "],
    auto_login: {
      login_prompt: "login:",
      username: "root",
      password_prompt: "Password:",
      password: "x",
    },
  };
  const steps = loginSteps(block, {} as StrategyContext);
  return run(onConsole({ script }, steps), { job: quick({}, seconds) });
}

const onLoader = (script: string, steps: Action[]): Promise<Ran> =>
  run(onConsole({ script }, steps), { job: quick({}) });

const powered = (commands: Record<string, string>): Promise<Ran> =>
  run(onConsole({ script: "exec sleep 60" }, [pduReboot]), { job: quick(commands) });
