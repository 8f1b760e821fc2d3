import { expect, test } from "vitest";
import { KernelReports } from "../../worker/kernel/kernel-reports.ts";
import { reportsAsExtra } from "../../worker/kernel/kernel-record.ts";

test("a record of a kernel that never stops to complain stays small: what is left out is counted", () => {
  const reports = new KernelReports();
  for (let n = 0; n < 80; n++) {
    reports.add(`[  ${n + 100}.000000] Kernel panic - not syncing: again`, n);
    for (let i = 0; i < 120; i++) {
      reports.add(`[  ${n + 100}.100000] ${"stack ".repeat(50)}`, n);
    }
    reports.add(`[  ${n + 100}.200000] ---[ end Kernel panic - not syncing: again ]---`, n);
  }
  const extra = reportsAsExtra(reports.take());
  const entries = extra["extra"] as { lines: string[]; omitted_lines: number }[];
  expect(entries).toHaveLength(50);
  expect(extra["omitted"]).toBe(30);
  expect(JSON.stringify(extra).length).toBeLessThan(90_000);
  expect(entries[0]).toMatchObject({ kind: "panic", omitted_lines: 22, first_line: 0 });
  expect(entries[49]).toMatchObject({ kind: "panic", omitted_lines: 122, lines: [] });
});
