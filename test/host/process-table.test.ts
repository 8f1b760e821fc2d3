import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterEach, expect, test } from "vitest";
import {
  findDescendants,
  identityOf,
  isAlive,
  killNow,
  signalProcess,
  type ProcessIdentity,
} from "../../worker/host/process-table.ts";

const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) await end(child);
});
const sleeper = (options: object = {}): ChildProcess => {
  const child = spawn("sleep", ["1000"], { stdio: "ignore", ...options });
  children.push(child);
  return child;
};
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

test("a process is alive until it ends, and its pid with another start time is another", async () => {
  const child = sleeper();
  const identity = identityOf(child.pid!) as ProcessIdentity;
  expect(isAlive(identity)).toBe(true);
  expect(isAlive({ pid: identity.pid, started: `9${identity.started}` })).toBe(false);
  expect(signalProcess({ pid: identity.pid, started: "1@x" }, "SIGKILL")).toBe(false);
  await end(child);
  expect(isAlive(identity)).toBe(false);
  expect(identityOf(identity.pid)).toBeUndefined();
});

test("descendants are found by the variable they inherited and by the session of their leader", async () => {
  const value = `/tmp/tést/${process.pid}/1`;
  const byVariable = sleeper({ detached: true, env: { ...process.env, JOB: value } });
  sleeper({ detached: true, env: { ...process.env, JOB: `${value}2` } });
  sleeper({ detached: true, env: { ...process.env, OTHER_JOB: value } });
  expect(findDescendants("JOB", value, undefined)).toEqual([byVariable.pid]);

  const leader = sleeper({ detached: true });
  const identity = identityOf(leader.pid!);
  expect(findDescendants("JOB", "nothing", identity)).toEqual([leader.pid]);
  const former = { pid: leader.pid!, started: "1@another-boot" };
  expect(findDescendants("JOB", "nothing", former)).toEqual([]);

  expect(killNow(byVariable.pid!)).toBe(true);
  await once(byVariable, "exit");
  expect(findDescendants("JOB", value, undefined)).toEqual([]);
});
