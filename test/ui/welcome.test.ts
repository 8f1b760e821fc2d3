import { afterEach, beforeEach, expect, test } from "vitest";
import { browserSession } from "../support/browser-session.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
});
afterEach(() => lab.close());

test("the first steps name worker and device only to who may see all of the lab", async () => {
  await lab.addWorker("vault-pc");
  await lab.addDevice("classified-01", { worker: "vault-pc" });
  const { token } = await lab.addStranger("guest");
  const seen = async (who?: string) => (await (await browserSession(lab, who)).get("/")).text();
  const own = await seen();
  expect(own).toContain("vault-pc is Offline");
  expect(own).toContain("classified-01");
  const theirs = await seen(token);
  expect(theirs).toContain("No jobs yet");
  expect(theirs).toContain("it is Offline");
  expect(theirs).not.toMatch(/vault-pc|classified-01/);
});
