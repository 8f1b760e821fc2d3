import { afterEach, beforeEach, expect, test } from "vitest";
import { holdApplying } from "../../control-plane/domain/applying.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
});
afterEach(() => lab.close());

const once = (user: string) => holdApplying(lab.deps, user, async () => user);

test("nobody applies a lab while somebody else does, and then anybody may", async () => {
  await holdApplying(lab.deps, "alice", async (stillHeld) => {
    await expect(once("bob")).rejects.toThrow(/alice is applying a lab just now/);
    lab.pass(50);
    await stillHeld();
    lab.pass(50);
    await expect(once("bob")).rejects.toThrow(/alice is applying/);
  });
  expect(await once("bob")).toBe("bob");
});

test("who fails lets others have their turn", async () => {
  const failing = holdApplying(lab.deps, "alice", () => Promise.reject(new Error("no")));
  await expect(failing).rejects.toThrow("no");
  expect(await once("bob")).toBe("bob");
});

test("who was silent for too long stops when somebody else took over, and leaves them alone", async () => {
  await holdApplying(lab.deps, "alice", async (aliceStillHeld) => {
    lab.pass(61);
    await holdApplying(lab.deps, "bob", async (bobStillHeld) => {
      await expect(aliceStillHeld()).rejects.toThrow(/bob is applying/);
      await bobStillHeld();
    });
    await holdApplying(lab.deps, "bob", async () => {
      await expect(once("alice")).rejects.toThrow(/bob is applying/);
    });
  });
});
