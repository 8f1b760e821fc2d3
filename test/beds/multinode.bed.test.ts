import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exampleJob, guestDir } from "../support/real-lab.ts";
import { multinodeLab, type MultinodeLab } from "./multinode-lab.ts";

const guest = guestDir();
let lab: MultinodeLab;
beforeAll(async () => {
  lab = await multinodeLab([3, 2]);
});
afterAll(() => lab.close());

const example = exampleJob("qemu-multinode.yaml", guest);

describe("a group of real guests", () => {
  test("of two, on two workers, exchanges what docs/multinode.md says", async () => {
    const ids = await lab.submit(example);
    expect(ids).toHaveLength(2);
    const [server = 0, client = 0] = ids;
    const jobs = await lab.finished(ids);
    const text = `${await lab.log(server)}\n----\n${await lab.log(client)}`;
    expect(
      jobs.map(({ health }) => health),
      text,
    ).toEqual(["Complete", "Complete"]);
    expect(await lab.verdicts(server)).toEqual([
      "0_serve role pass",
      "0_serve multinode-send-ready pass",
      "0_serve multinode-wait-asked pass",
      "0_serve asked pass",
      "0_serve multinode-sync-done pass",
    ]);
    expect(await lab.verdicts(client)).toEqual([
      "0_ask two-members pass",
      "0_ask multinode-wait-ready pass",
      "0_ask port pass",
      "0_ask motto pass",
      "0_ask multinode-send-asked pass",
      "0_ask multinode-sync-done pass",
    ]);
  });
});
