import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../worker/agent/clock.ts";
import { downloadRelease } from "../../worker/agent/download-release.ts";
import { ManualClock } from "../support/manual-clock.ts";
import path from "node:path";
import {
  agent,
  currentVersion,
  eagerClock,
  env,
  http,
  layout,
  offerOf,
  releaseOf,
  server,
  text,
  upgrade,
  useUpgradeBench,
} from "../support/upgrade-bench.ts";

useUpgradeBench();

describe("the download of an upgrade", () => {
  test("goes on where a cut connection left it, also in the next start", async () => {
    const release = releaseOf("9.0.0");
    const offer = offerOf(release);
    server.faults.push({ cutAfter: 100_000 }, { endAfter: 50_000 }, { cutAfter: 20_000 });
    const first = agent(new ManualClock());
    first.upgrader.answered(offer);
    await first.until(() => (first.upgrader.question().upgrade?.reason ?? "") !== "");
    first.stop.abort();
    await upgrade({ ...offer, url: `${offer.url}?another-link` });
    const starts = server.ranges.map((range) => Number(/\d+/.exec(range)?.[0] ?? 0));
    expect(server.ranges[0]).toBe("");
    expect(starts).toEqual(starts.toSorted((a, b) => a - b));
    expect(starts.at(-1)).toBeGreaterThan(100_000);
    expect(currentVersion()).toBe("9.0.0");
  });

  test("gives a line up that brings nothing any more, and goes on over another", async () => {
    const { url, bytes, sha256 } = offerOf(releaseOf("9.0.0"));
    const { signal } = new AbortController();
    const folder = path.join(layout.dir, "incoming");
    const request = { http, clock: systemClock, folder, url, bytes, sha256, kbps: 0, signal };
    server.faults.push({ stallAfter: 100_000 });
    await expect(downloadRelease({ ...request, idleMs: 20 })).rejects.toThrow("nothing came");
    expect(text(await downloadRelease(request)).length).toBeGreaterThan(0);
    expect(server.ranges).toEqual(["", "bytes=100000-"]);
  });

  test("begins anew at a server that knows no parts, and when what is there is damaged", async () => {
    const offer = offerOf(releaseOf("9.0.0"));
    const incoming = path.join(layout.dir, "incoming");
    mkdirSync(incoming);
    writeFileSync(path.join(incoming, "of-another-release.part"), "x");
    writeFileSync(path.join(incoming, `${offer.sha256}.part`), Buffer.alloc(1000));
    server.faults.push({ cutAfter: 100_000 }, { whole: true }, { status: 503 });
    await upgrade(offer);
    expect(currentVersion()).toBe("9.0.0");
    expect(readdirSync(incoming)).toEqual([`${offer.sha256}.part`]);
  });

  test("asks for another link when its own has run out", async () => {
    const offer = offerOf(releaseOf("9.0.0"));
    server.faults.push({ status: 403 });
    const clock = new ManualClock();
    const one = agent(clock);
    one.upgrader.answered(offer);
    await one.until(() => one.upgrader.isUrgent);
    expect(one.upgrader.question().upgrade?.reason).toContain("403");
    one.upgrader.answered({ ...offer, url: `${offer.url}?fresh` });
    await clock.until((delays) => delays.length > 0);
    clock.advance(60_000);
    await one.said("waiting");
  });

  test("keeps to the speed that is set", async () => {
    env["PUMICE_UPGRADE_KBPS"] = "100";
    const clock = eagerClock();
    let now = 0;
    const one = agent({ ...clock, now: () => now, sleep: async (ms) => void (now += ms) });
    const offer = offerOf(releaseOf("9.0.0"));
    one.upgrader.answered(offer);
    await one.said("waiting");
    expect(now).toBeCloseTo(offer.bytes / 100, 0);
  });

  test("tells how far it is in steps", async () => {
    const one = agent();
    const told = new Set<number>();
    one.upgrader.answered(offerOf(releaseOf("9.0.0")));
    await one.until(() => {
      const { percent } = one.upgrader.question().upgrade ?? {};
      if (percent !== undefined) told.add(percent);
      return one.state() === "waiting";
    });
    expect([...told].every((percent) => percent % 10 === 0)).toBe(true);
    expect(told).toContain(100);
  });
});
