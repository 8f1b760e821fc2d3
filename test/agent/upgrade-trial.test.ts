import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { beforeEach, describe, expect, test } from "vitest";
import { VERSION } from "#protocol/version.ts";
import { HttpError } from "../../worker/host/http-client.ts";
import { ManualClock } from "../support/manual-clock.ts";
import path from "node:path";
import {
  agent,
  currentVersion,
  env,
  install,
  layout,
  offerOf,
  releaseOf,
  server,
  text,
  upgrade,
  useUpgradeBench,
} from "../support/upgrade-bench.ts";

useUpgradeBench();

describe("a version on trial", () => {
  const OLD = "0.0.9";
  beforeEach(() => {
    install(OLD);
    symlinkSync(layout.fileOf(OLD), layout.previous);
    writeFileSync(layout.trial, `${VERSION}\n1\n`);
    writeFileSync(path.join(layout.dir, "upgrade.json"), `{"id": "7", "version": "${VERSION}"}`);
  });

  test("stays when it has synced; versions that nobody needs are removed", async () => {
    install("0.0.1");
    install("0.0.2");
    mkdirSync(path.join(layout.dir, "versions/0.0.3.new"));
    mkdirSync(path.join(layout.dir, "incoming"));
    const clock = new ManualClock();
    const one = agent(clock);
    one.upgrader.answered(undefined);
    expect(existsSync(layout.trial)).toBe(false);
    clock.advance(3_600_000);
    await Promise.resolve();
    expect(one.isRestarted()).toBe(false);
    expect(currentVersion()).toBe(VERSION);
    expect(readdirSync(path.join(layout.dir, "versions")).toSorted()).toEqual(
      [OLD, VERSION].toSorted(),
    );
    expect(existsSync(path.join(layout.dir, "incoming"))).toBe(false);
    expect(one.log).toEqual([`upgraded to ${VERSION}`, "removed versions 0.0.1, 0.0.2, 0.0.3.new"]);
  });

  test("keeps the file that a runner still runs from", async () => {
    install("0.0.1");
    const file = path.join(layout.dir, layout.fileOf("0.0.1"));
    writeFileSync(file, "#!/bin/sh\necho here\nread line\n");
    const runner = spawn(file, [], { stdio: ["pipe", "pipe", "ignore"] });
    await once(runner.stdout, "data");
    agent().upgrader.answered(undefined);
    expect(existsSync(file)).toBe(true);
    const ended = once(runner, "exit");
    runner.stdin.end();
    await ended;
    agent().upgrader.answered(undefined);
    expect(existsSync(file)).toBe(false);
  });

  test("gives itself up when it does not reach its control plane in time", async () => {
    env["PUMICE_UPGRADE_CONFIRM_SECONDS"] = "120";
    const clock = new ManualClock();
    const one = agent(clock);
    one.upgrader.failed(new HttpError("POST http://plane: ECONNREFUSED", { status: 0 }));
    clock.advance(119_000);
    expect(one.isRestarted()).toBe(false);
    clock.advance(1000);
    await one.until(one.isRestarted);
    expect(currentVersion()).toBe(OLD);
    expect(existsSync(layout.trial)).toBe(false);
    expect(text(layout.rolledBack)).toBe(
      `${VERSION}\nit has not reached its control plane within 120 s: POST http://plane: ECONNREFUSED\n`,
    );
  });

  test("has five minutes at most: after six its launcher ends it anyway", async () => {
    env["PUMICE_UPGRADE_CONFIRM_SECONDS"] = "900";
    const clock = new ManualClock();
    const one = agent(clock);
    clock.advance(300_000);
    await one.until(one.isRestarted);
    expect(text(layout.rolledBack)).toContain("within 300 s");
  });

  test("does not give itself up while it is only stopped", async () => {
    const clock = new ManualClock();
    const one = agent(clock);
    one.stop.abort();
    await Promise.resolve();
    expect(existsSync(layout.trial)).toBe(true);
    expect(one.isRestarted()).toBe(false);
  });
});

describe("after a version was given up", () => {
  const why = "it has not reached its control plane within 300 s: no answer";
  const back = (reason = why, version = "9.0.0") => {
    writeFileSync(layout.rolledBack, `${version}\n${reason}\n`);
    writeFileSync(path.join(layout.dir, "upgrade.json"), `{"id": "7", "version": "${version}"}`);
  };

  test("that is told, in this start and the next ones, and not tried again until it is offered anew", async () => {
    back();
    const offer = { ...offerOf(releaseOf("9.0.0")), id: "7" };
    const told = { id: "7", version: "9.0.0", state: "rolled_back", reason: why };
    for (const one of [agent(), agent(), agent()]) {
      expect(one.upgrader.question().upgrade).toEqual(told);
      one.upgrader.answered(offer);
      expect(one.upgrader.question().upgrade).toEqual(told);
    }
    expect(existsSync(layout.rolledBack)).toBe(false);
    expect(server.ranges).toEqual([]);
    await upgrade({ ...offer, id: "8" });
    expect(currentVersion()).toBe("9.0.0");
  });

  test("it is excused when the control plane was away for the old version too", async () => {
    back();
    const one = agent();
    one.upgrader.failed(new HttpError("ECONNREFUSED", { status: 0 }));
    expect(one.upgrader.question().upgrade).toBeUndefined();
    const offer = { ...offerOf(releaseOf("9.0.0")), id: "7" };
    await upgrade(offer, one);
    expect(currentVersion()).toBe("9.0.0");
  });

  test("it is not excused when it ended by itself, nor for a refusal", () => {
    back("started 3 times, it ended each time before it reached its control plane");
    const one = agent();
    one.upgrader.failed(new HttpError("ECONNREFUSED", { status: 0 }));
    one.upgrader.answered({ ...offerOf(releaseOf("9.0.0")), id: "7" });
    expect(one.state()).toBe("rolled_back");
    expect(server.ranges).toEqual([]);
    back();
    const other = agent();
    other.upgrader.failed(new HttpError("401", { status: 401 }));
    expect(other.state()).toBe("rolled_back");
  });
});
