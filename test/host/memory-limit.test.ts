import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { memoryLimit } from "../../worker/host/memory-limit.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "pumice-memory-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(file: string, text: string): void {
  mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  writeFileSync(path.join(root, file), text);
}
const limit = (env: Record<string, string> = {}) => memoryLimit(env, root);

test("nobody has set a limit", () => {
  expect(limit()).toBeUndefined();
  put("proc/self/cgroup", "0::/user.slice\n");
  put("sys/fs/cgroup/user.slice/memory.max", "max\n");
  expect(limit()).toBeUndefined();
  put("proc/self/cgroup", "4:memory:/a\n0::/\n");
  put("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n");
  expect(limit()).toBeUndefined();
});

test("the limit of a control group is nine tenths of that of all it is in (version 2)", () => {
  put("proc/self/cgroup", "0::/system.slice/pumice-worker.service\n");
  put("sys/fs/cgroup/system.slice/pumice-worker.service/memory.max", "400000000\n");
  expect(limit()).toMatchObject({ bytes: 360_000_000, from: expect.stringContaining("MemoryMax") });
  put("sys/fs/cgroup/system.slice/memory.max", "300000000\n");
  expect(limit()?.bytes).toBe(270_000_000);
});

test("in a container only the lowest group may be in sight (version 1 and 2)", () => {
  put("proc/self/cgroup", "5:cpu,memory:/docker/0123abcd\n0::/\n");
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", "268435456\n");
  expect(limit()?.bytes).toBe(241_591_910);
  put("proc/self/cgroup", "0::/../..\n");
  put("sys/fs/cgroup/memory.max", "123456789\n");
  expect(limit()?.bytes).toBe(111_111_110);
});

test("of PUMICE_MAX_RSS and the control group's limit the lower one holds", () => {
  expect(limit({ PUMICE_MAX_RSS: "200" })).toMatchObject({
    bytes: 200_000_000,
    from: "--max-rss (PUMICE_MAX_RSS)",
  });
  put("proc/self/cgroup", "0::/a\n");
  put("sys/fs/cgroup/a/memory.max", "150000000\n");
  expect(limit({ PUMICE_MAX_RSS: "200" })?.bytes).toBe(135_000_000);
  expect(limit({ PUMICE_MAX_RSS: "100" })?.bytes).toBe(100_000_000);
});
