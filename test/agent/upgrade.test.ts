import { existsSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { VERSION } from "#protocol/version.ts";
import { systemClock } from "../../worker/agent/clock.ts";
import { Upgrader } from "../../worker/agent/upgrader.ts";
import type { Layout } from "../../worker/install/layout.ts";
import path from "node:path";
import {
  agent,
  currentVersion,
  dir,
  env,
  http,
  layout,
  offerOf,
  platform,
  program,
  releaseOf,
  text,
  upgrade,
  useUpgradeBench,
} from "../support/upgrade-bench.ts";

useUpgradeBench();

describe("an upgrade", () => {
  test("brings the file to its place, swaps to it on trial and ends the agent", async () => {
    const content = program("9.0.0");
    const one = await upgrade(offerOf(releaseOf("9.0.0", content)));
    expect(one.isRestarted()).toBe(true);
    expect(currentVersion()).toBe("9.0.0");
    expect(readlinkSync(layout.previous)).toBe(layout.fileOf(VERSION));
    expect(text(layout.trial)).toBe("9.0.0\n0\n");
    expect(text(layout.current)).toBe(content);
    expect(statSync(layout.current).mode & 0o777).toBe(0o755);
    expect(existsSync(path.join(layout.dir, "versions/9.0.0.new"))).toBe(false);
  });

  test("is told and wanted once more before the swap: a roll-out that stops in time leaves all as it is", async () => {
    const one = agent();
    one.upgrader.answered(offerOf(releaseOf("9.0.0")));
    await one.until(() => one.upgrader.isUrgent);
    // The answer to what was asked before it was ready.
    one.upgrader.answered(offerOf(releaseOf("9.0.0")));
    expect(one.isRestarted()).toBe(false);
    expect(one.state()).toBe("waiting");
    one.upgrader.answered(undefined);
    expect(one.state()).toBeUndefined();
    expect(one.isRestarted()).toBe(false);
    expect(currentVersion()).toBe(VERSION);
    expect(one.log.at(-1)).toContain("not wanted any more");
  });

  test("waits while a device is being served by the agent", async () => {
    let isBusy = true;
    const one = agent(undefined, undefined, () => isBusy);
    const offer = offerOf(releaseOf("9.0.0"));
    await upgrade(offer, one);
    expect(one.isRestarted()).toBe(false);
    isBusy = false;
    expect(one.state()).toBe("waiting");
    one.upgrader.answered(offer);
    expect(one.isRestarted()).toBe(true);
  });

  test("that can't be swapped to is given up, and told once", async () => {
    const one = agent();
    const offer = offerOf(releaseOf("9.0.0"));
    one.upgrader.answered(offer);
    await one.said("waiting");
    rmSync(layout.current);
    for (let n = 0; n < 3; n++) one.upgrader.answered(offer);
    expect(one.isRestarted()).toBe(false);
    expect(one.upgrader.isUrgent).toBe(false);
    expect(one.upgrader.question().upgrade).toMatchObject({
      state: "failed",
      reason: expect.stringContaining("can't be swapped to: ENOENT"),
    });
    expect(one.log.filter((line) => line.includes("swapped"))).toHaveLength(1);
  });

  test.each([
    ["before the version was on trial", [() => rmSync(layout.trial)]],
    ["before the link was changed", []],
  ])("that a power cut met %s is made again", async (_, undo) => {
    const offer = offerOf(releaseOf("9.0.0"));
    await upgrade(offer);
    for (const step of undo) step();
    rmSync(layout.current);
    symlinkSync(layout.fileOf(VERSION), layout.current);
    const next = agent();
    expect(next.state()).toBeUndefined();
    await upgrade(offer, next);
    expect(next.isRestarted()).toBe(true);
    expect(currentVersion()).toBe("9.0.0");
    expect(text(layout.trial)).toBe("9.0.0\n0\n");
    expect(readlinkSync(layout.previous)).toBe(layout.fileOf(VERSION));
  });
});

describe("a worker that can't upgrade itself says why:", () => {
  const byHand = (from: Layout | undefined = layout) => agent(undefined, from).upgrader.question();

  test("it was not installed", () => {
    const upgrader = new Upgrader(
      {
        layout: undefined,
        http,
        clock: systemClock,
        log: () => {},
        changed: () => {},
        restart: () => {},
      },
      new AbortController().signal,
    );
    expect(upgrader.question()).toEqual({ by_hand: expect.stringContaining("launcher") });
    upgrader.answered(offerOf(releaseOf("9.0.0")));
    expect(upgrader.question().upgrade).toBeUndefined();
  });

  test("it has no keys, which is said in no more words than sync takes", () => {
    env["PUMICE_RELEASE_KEYS"] = path.join(dir, "x".repeat(200), "y".repeat(300));
    expect(agent().upgrader.question().by_hand).toHaveLength(500);
  });

  test("it has no keys", () => {
    expect(byHand()).toEqual({ platform });
    writeFileSync(path.join(dir, "keys.pem"), "nothing\n");
    expect(byHand().by_hand).toContain("no public key in");
    rmSync(path.join(dir, "keys.pem"));
    expect(byHand().by_hand).toContain("ENOENT");
    delete env["PUMICE_RELEASE_KEYS"];
    expect(byHand().by_hand).toContain("PUMICE_RELEASE_KEYS is not set");
  });

  test("it may not write there", () => {
    rmSync(path.join(layout.dir, "versions"), { recursive: true });
    expect(byHand().by_hand).toContain(`may not write to ${path.join(layout.dir, "versions")}`);
  });
});
