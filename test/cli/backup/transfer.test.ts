import { expect, test } from "vitest";
import { abreast } from "../../../control-plane/cli/backup/transfer.ts";

test("a transfer that fails ends only when those beside it have what they fetch", async () => {
  let resolve = () => {};
  const promise = new Promise<void>((done) => (resolve = done));
  let hasWritten = false;
  const ended = abreast(["fails", "is on its way"], async (one) => {
    if (one === "fails") throw new Error("cut");
    await promise;
    hasWritten = true;
  }).catch((error: Error) => ({ message: error.message, hasWritten }));
  // Whoever does not wait has failed by now.
  await Promise.resolve().then(() => {});
  setImmediate(() => resolve());
  expect(await ended).toEqual({ message: "cut", hasWritten: true });
});
