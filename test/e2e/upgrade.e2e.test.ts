import { afterAll, beforeAll, expect, test } from "vitest";
import {
  bundleOldVersion,
  startTwoVersions,
  type OldBundle,
  type TwoVersions,
} from "../support/aws/two-versions.ts";
import { realLab, type RealLab } from "../support/real-lab.ts";
import { counting, expectWholeLog, isTesting, smoke } from "../support/smoke-jobs.ts";

const old: OldBundle | string = bundleOldVersion();
if (typeof old === "string") console.log(`skipped: ${old}`);

let lab: RealLab;
let versions: TwoVersions;
beforeAll(async () => {
  if (typeof old === "string") return;
  versions = await startTwoVersions(old.folder);
  lab = await realLab({ devices: 2, plane: versions });
});
afterAll(async () => {
  if (typeof old === "string") return;
  await lab.close();
  old.remove();
});

const complete = async (id: number) =>
  expect((await lab.finished(id)).health, `job ${id}`).toBe("Complete");

test.skipIf(typeof old === "string")(
  "a lab is upgraded and rolled back under its jobs: old and new serve one table at once",
  async () => {
    const underOld = await lab.submit(counting);
    await lab.follow(underOld, isTesting);

    versions.serve("both");
    const underBoth = [await lab.submit(smoke), await lab.submit(counting)];
    await complete(underOld);
    expectWholeLog(await lab.follow(underOld), 60);
    await lab.follow(underBoth[1] ?? 0, isTesting);

    versions.serve("new");
    for (const id of underBoth) await complete(id);
    expectWholeLog(await lab.follow(underBoth[1] ?? 0), 60);
    const underNew = await lab.submit(counting);
    await lab.follow(underNew, isTesting);

    versions.serve("old");
    await complete(underNew);
    expectWholeLog(await lab.follow(underNew), 60);
    const afterRollback = await lab.submit(smoke);
    await complete(afterRollback);
    expect(versions.answered.old).toBeGreaterThan(20);
    expect(versions.answered.new).toBeGreaterThan(20);
  },
);
