import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { OpenedConsole } from "#protocol/consoles.ts";
import { consoleLab, type ConsoleLab } from "../support/console-lab.ts";
import { until } from "../support/real-lab.ts";
import { workerProgram } from "../support/worker-program.ts";
import { makeGuest } from "./guest.ts";
import { startVirtualBoard, type VirtualBoard } from "./virtual-board.ts";

let program: Awaited<ReturnType<typeof workerProgram>>;
let guest: string;
let folder: string;
let board: VirtualBoard;
let lab: ConsoleLab;

beforeAll(async () => {
  [program, guest] = await Promise.all([workerProgram(), makeGuest(console.error, "amd64")]);
});
afterAll(() => program.remove());
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-board-"));
  const file = (name: string): string => path.join(guest, name);
  board = await startVirtualBoard(folder, [
    ...(["qemu-system-x86_64", "-accel", "tcg", "-m", "256", "-nic", "none"] as const),
    ...["-kernel", file("vmlinuz"), "-initrd", file("initramfs.cpio.gz")],
    ...["-append", "console=ttyS0 login"],
  ]);
  lab = await consoleLab(program.file, {
    connect: `tcp://127.0.0.1:${board.consolePort}`,
    power_on: board.powerOn,
    power_off: board.powerOff,
    hard_reset: board.hardReset,
  });
  lab.startAgent();
});
afterEach(async () => {
  await lab.close();
  await board.close();
  rmSync(folder, { recursive: true, force: true });
});

const power = (session: OpenedConsole, what: string) =>
  lab.api("POST", `/consoles/${session.id}/power`, { power: what });

test("a person switches a board on, logs in, resets it and sees it boot again; a watcher sees it too; the record has all of it", async () => {
  const { token } = await lab.api<{ token: string }>("POST", "/tokens", { subject: "bob" });
  await lab.api("PUT", "/settings", {
    settings: { access: { permissions: { view: ["everyone"] } } },
  });
  await lab.reserve();
  const session = await lab.open();
  await until(async () => {
    const { state } = await lab.api<{ state: string }>("GET", `/consoles/${session.id}`);
    return state === "open";
  });
  await power(session, "on");
  await lab.said(session.id, "login: ");
  await lab.type(session, "root\n");
  await lab.said(session.id, "Password: ");
  await lab.type(session, "lava\n");
  await lab.said(session.id, "# ");
  await lab.type(session, "uname -a\n");
  expect(await lab.said(session.id, "GNU/Linux")).toMatch(/Linux pumice \d+\./);
  await power(session, "reset");
  await lab.said(session.id, "login: ", undefined, 2);
  const watched = await lab.said(session.id, "Linux version ", token, 2);
  expect(watched).toContain("uname -a");

  const record = lab.cli("consoles", "record", session.id);
  let cast = "";
  record.stdout.on("data", (bytes) => (cast += String(bytes)));
  await new Promise((resolve) => record.on("close", resolve));
  const [, ...events] = cast
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as [number, "o" | "i", string]);
  const all = (kind: "o" | "i"): string =>
    events.flatMap(([, of, text]) => (of === kind ? text : "")).join("");
  expect(all("i")).toBe("root\nlava\nuname -a\n");
  expect(all("o").split("Linux version ")).toHaveLength(3);
});

const JOB = `
device_type: qemu
job_name: by hand
visibility: public
timeouts: {job: {minutes: 6}, action: {minutes: 4}, connection: {minutes: 2}}
actions:
- boot:
    method: minimal
    prompts: ['root@pumice:[^#]*# ']
    auto_login: {login_prompt: 'login: ', username: root, password_prompt: 'Password: ', password: lava}
- test:
    interactive:
    - name: by-hand
      prompts: ['this is said by nobody']
      script:
      - {command: null, name: person, successes: [{message: 'done by ha[n]d'}]}
    - name: after
      prompts: ['root@pumice:[^#]*# ']
      script:
      - {command: cat /by-hand, name: left, successes: [{message: I was here}]}
`;

test("a job that waits gives a person the guest that it has booted, and goes on with what they have made of it", async () => {
  const id = await lab.submit(JOB);
  await until(async () => {
    const { state, waits_for_person, error_msg } = await lab.job(id);
    if (state === "Finished") throw new Error(error_msg);
    return waits_for_person === true;
  });
  const session = await lab.open({ job: id });
  await lab.said(session.id, "# ");
  await lab.type(session, "uname -a; echo I was here >/by-hand; echo done by hand\n");
  await lab.said(session.id, "GNU/Linux");
  await lab.said(session.id, "done by hand", undefined, 2);
  await lab.api("POST", `/consoles/${session.id}/continue`);
  expect((await lab.ended(session.id)).reason).toBe("the job goes on");
  await until(async () => (await lab.job(id)).state === "Finished");
  expect(await lab.job(id)).toMatchObject({ health: "Complete" });
  const { results } = await lab.api<{ results: { suite: string; name: string; result: string }[] }>(
    "GET",
    `/jobs/${id}/results`,
  );
  const named = results.map(({ suite, name, result }) => `${suite} ${name} ${result}`);
  expect(named).toEqual(
    expect.arrayContaining(["0_by-hand person pass", "0_after left pass", "lava 0_after pass"]),
  );
});
