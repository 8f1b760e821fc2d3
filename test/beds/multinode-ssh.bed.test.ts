import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exampleJob } from "../support/real-lab.ts";
import { multinodeLab, type MultinodeLab } from "./multinode-lab.ts";
import { cannotStart, start, type SshBed } from "./sshd.ts";

const problem = cannotStart();
if (problem) console.warn(`skipped: ${problem}`);
const folder = mkdtempSync(path.join(tmpdir(), "pumice-guests-"));
let lab: MultinodeLab | undefined;
let bed: SshBed | undefined;
beforeAll(async () => {
  if (problem) return;
  lab = await multinodeLab([0]);
  bed = await start(folder);
});
afterAll(async () => {
  await lab?.close();
  await bed?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(problem)("guests without a device of their own", () => {
  test("find their host by its message, log in to it by ssh and take part in the group", async () => {
    if (!lab || !bed) throw new Error("no lab");
    // What the host's dictionary says is not what the guests go by.
    const dictionary = bed.dictionary.replace("'127.0.0.1'", "'localhost'");
    await lab.api("PUT", "/devices/host-1", { device_type: "ssh", worker: "bench-1", dictionary });
    const ids = await lab.submit(exampleJob("ssh-guests.yaml", ""));
    const jobs = await lab.finished(ids);
    const logs = [];
    for (const id of ids) logs.push(await lab.log(id));
    const text = logs.join("\n----\n");
    expect(
      jobs.map(({ health, device }) => [health, device]),
      text,
    ).toEqual([
      ["Complete", "host-1"],
      ["Complete", undefined],
      ["Complete", undefined],
    ]);
    for (const [index, id] of ids.entries()) {
      if (index === 0) continue;
      expect(logs[index]).toContain("the DUT is root@127.0.0.1");
      expect(await lab.verdicts(id)).toEqual([
        "0_guest inside pass",
        "0_guest three-members pass",
        "0_guest multinode-sync-guests-are-done pass",
      ]);
    }
  });
});
