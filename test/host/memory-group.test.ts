import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { watchKiller } from "../../worker/host/killer.ts";
import { groupMemory, killsForMemory } from "../../worker/host/memory-group.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "pumice-group-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(file: string, text: string): void {
  mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  writeFileSync(path.join(root, file), text);
}

describe("what a control group takes of memory", () => {
  test("is anonymous memory and tmpfs, not what files have in the page cache (version 2)", () => {
    put("memory.current", "500000000\n");
    put("memory.stat", "anon 100000000\nfile 390000000\nshmem 20000000\nactive_anon 1\n");
    expect(groupMemory(root)).toBe(120_000_000);
  });

  test("counts the groups in it, too (version 1)", () => {
    const own = "cache 9\nrss 1000\nshmem 7\n";
    put("memory.stat", `${own}total_cache 390000000\ntotal_rss 100000000\ntotal_shmem 20000000\n`);
    expect(groupMemory(root)).toBe(120_000_000);
  });

  test("is not known where the group doesn't say", () => {
    expect(groupMemory(root)).toBeUndefined();
    put("memory.stat", "file 1\n");
    expect(groupMemory(root)).toBeUndefined();
  });
});

describe("the kernel's kills for want of memory", () => {
  test("are those of the group (version 1 or 2), else the machine's", () => {
    expect(killsForMemory(root)).toBeUndefined();
    put("proc/vmstat", "pgfault 3\noom_kill 13\n");
    expect(killsForMemory(root)).toBe(13);
    put("proc/self/cgroup", "0::/worker\n");
    put("sys/fs/cgroup/worker/memory.events", "oom 5\noom_kill 2\noom_group_kill 1\n");
    expect(killsForMemory(root)).toBe(2);
    put("proc/self/cgroup", "4:memory:/worker\n0::/\n");
    put("sys/fs/cgroup/memory/worker/memory.oom_control", "under_oom 0\noom_kill 4\n");
    expect(killsForMemory(root)).toBe(4);
  });

  test("tell whom a SIGKILL seems to come from", () => {
    put("proc/vmstat", "oom_kill 13\n");
    const killer = watchKiller(root);
    expect(killer()).toBe("by somebody: the kernel has killed nothing for want of memory");
    put("proc/vmstat", "oom_kill 15\n");
    expect(killer()).toMatch(/by the kernel, because memory ran out: it has killed 2 processes/);
  });

  test("leave it open where nobody counts", () => {
    expect(watchKiller(root)()).toMatch(/by somebody or, .* by the kernel/);
  });
});
