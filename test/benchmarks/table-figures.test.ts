import { describe, expect, test } from "vitest";
import { Figures, table } from "../../scripts/benchmarks/table/figures.ts";
import { withRoles } from "../../scripts/benchmarks/table/watch.ts";

describe("figures of a lab, and beside a LAVA", () => {
  function measured() {
    const figures = new Figures();
    for (const value of [30, 10, 20]) figures.note("turnaround", "pumice", value);
    for (const value of [400, 100, 300, 200]) figures.note("turnaround", "lava", value);
    figures.note("submits", "pumice", 300);
    figures.note("submits", "lava", 20);
    return figures.report();
  }

  test("are medians with their spread", () => {
    expect(measured().pumice["turnaround"]).toEqual({
      unit: "ms",
      ...{ median: 20, min: 10, max: 30, runs: 3 },
    });
    expect(measured().lava?.["turnaround"]).toMatchObject({ median: 250, min: 100, max: 400 });
  });

  test("are of the runs that gave one", () => {
    const figures = new Figures();
    for (const value of [30, NaN, 10]) figures.note("overhead", "pumice", value);
    expect(figures.report().pumice["overhead"]).toMatchObject({ median: 20, max: 30, runs: 2 });
  });

  test("have ratios that say how many times better ours is, whether less is better or more", () => {
    expect(measured().ratios).toEqual({ turnaround: 12.5, submits: 15 });
  });

  test("say in the table which target is missed, and only that", () => {
    const lines = table(measured()).split("\n");
    expect(lines).toHaveLength(3);
    expect(lines[1]).toMatch(/20 \(10 to 30\) +250 \(100 to 400\) +12\.5$/);
    expect(lines[2]).toMatch(/300 +20 +15 {2}below its target of 20$/);
  });

  test("of a lab alone have no ratios, and speak of no other", () => {
    const figures = new Figures();
    figures.note("qemu", "pumice", 9000);
    const report = figures.report();
    expect(Object.keys(report)).toEqual(["pumice"]);
    expect(table(report)).not.toMatch(/LAVA|target/);
  });
});

test("what a DUT starts counts as the DUT's, and who is neither counts for nobody", () => {
  const tree = [
    [1, 0, "agent"],
    [2, 1, "runner"],
    [3, 2, "/bin/sh -i"],
    [4, 3, "runner, as the DUT calls it"],
    [5, 1, "unshare"],
  ] as const;
  const processes = tree.map(([pid, parent, command]) => ({
    ...{ pid, parent, command, startedAt: "1" },
    ...{ threadSeconds: 0, tickSeconds: 0, endedSeconds: 0 },
  }));
  const roles = withRoles(processes, ({ command }) => {
    if (command.startsWith("/bin/sh")) return "dut";
    if (command.startsWith("runner")) return "runner";
    return command === "agent" ? "agent" : undefined;
  });
  expect(roles.map(([{ pid }, role]) => [pid, role])).toEqual([
    [1, "agent"],
    [2, "runner"],
    [3, "dut"],
    [4, "dut"],
  ]);
});
