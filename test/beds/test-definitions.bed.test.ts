import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { methodPage } from "../support/method-page.ts";
import { runOnBed } from "../support/run-on-bed.ts";
import { startFileShelf, type FileShelf } from "./file-shelf.ts";
import { makeGuest } from "./guest.ts";

let files: FileShelf;
beforeAll(async () => {
  const guest = await makeGuest(() => {});
  const names = ["vmlinuz", "initramfs.cpio.gz"];
  files = await startFileShelf(
    Object.fromEntries(names.map((name) => [name, path.join(guest, name)])),
  );
});
afterAll(() => files.close());

test("definitions run in a real guest: results, one that takes too long, one that is repeated", async () => {
  const page = methodPage("test-definitions");
  const job = page.job.replaceAll("http://files.example.com/", files.url);
  const { outcome, results, text } = await runOnBed({ job, dictionary: page.dictionary });
  expect(outcome, text).toMatchObject({ result: "pass" });
  const of = (suite: string) => results.filter(({ definition }) => definition === suite);
  expect(of("0_shell")).toMatchObject([
    { case: "greeting", result: "pass" },
    { case: "uptime", result: "pass", units: "seconds" },
    { case: "ref", result: "pass", reference: "https://bugs.example.com/1" },
  ]);
  expect(of("lava")).toContainEqual(
    expect.objectContaining({ case: "1_too-long", result: "fail" }),
  );
  expect(text).toContain("skip_timeout is set for lava-test-retry");
  expect(of("2_again")).toMatchObject([
    { case: "in-a-set", set: "group" },
    { case: "in-a-set", set: "group" },
  ]);
});
