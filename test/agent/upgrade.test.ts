import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { VERSION } from "#protocol/version.ts";
import type { UpgradeOffer } from "#protocol/worker-api.ts";
import { systemClock, type Clock } from "../../worker/agent/clock.ts";
import { downloadRelease } from "../../worker/agent/download-release.ts";
import { Upgrader } from "../../worker/agent/upgrader.ts";
import { HttpClient, HttpError } from "../../worker/host/http-client.ts";
import { layoutOf, type Layout } from "../../worker/install/layout.ts";
import { aRelease, aSigner, type TestRelease } from "../support/a-release.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { releaseServer, type ReleaseServer } from "../support/release-server.ts";

const signer = aSigner();
let dir: string;
let layout: Layout;
let server: ReleaseServer;
let env: NodeJS.ProcessEnv;
let http: HttpClient;
const stops: AbortController[] = [];

/** A program that says that it is this version, so large that it comes in many pieces. */
const program = (version: string, said = `pumice-worker ${version}`): string =>
  `#!/bin/sh\necho "${said}"\nexit 0\n${randomBytes(200_000).toString("base64")}\n`;
const platform = { x64: "linux-x64", arm64: "linux-arm64", arm: "linux-armv7" }[
  process.arch as "x64"
] as "linux-x64";
const releaseOf = (version: string, content = program(version), by = signer): TestRelease =>
  aRelease(by, version, { [platform]: content });

function install(version: string): void {
  const file = path.join(layout.dir, layout.fileOf(version));
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, program(version));
  chmodSync(file, 0o755);
}

beforeEach(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-upgrade-"));
  layout = layoutOf(path.join(dir, "lib"));
  install(VERSION);
  symlinkSync(layout.fileOf(VERSION), layout.current);
  const keys = path.join(dir, "keys.pem");
  writeFileSync(keys, `${aSigner().publicPem}${signer.publicPem}`);
  env = { PUMICE_RELEASE_KEYS: keys };
  server = await releaseServer(Buffer.alloc(0));
  http = new HttpClient(server.url);
});
afterEach(async () => {
  for (const stop of stops.splice(0)) stop.abort();
  http.close();
  await server.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Time whose pauses are over at once; what asked for them is in `slept`. */
function eagerClock(): Clock & { slept: number[] } {
  const slept: number[] = [];
  return { ...systemClock, slept, sleep: async (ms) => void slept.push(ms) };
}

function offerOf(release: TestRelease, more: Partial<UpgradeOffer> = {}): UpgradeOffer {
  const { version, request, packed } = release;
  const [file] = request.files;
  server.content = packed.get(platform)!;
  const { manifest, signature } = request;
  const { bytes, sha256 } = file!;
  const { url } = server;
  return { id: "1", version, pinned: false, manifest, signature, url, bytes, sha256, ...more };
}

function agent(
  clock: Clock = eagerClock(),
  from: Layout | undefined = layout,
  isBusy: () => boolean = () => false,
) {
  const stop = new AbortController();
  stops.push(stop);
  const log: string[] = [];
  const looks: (() => void)[] = [];
  let restarted = false;
  const look = (): void => {
    for (const one of looks.splice(0)) one();
  };
  const upgrader = new Upgrader(
    {
      layout: from,
      http,
      clock,
      env,
      isBusy,
      log: (line) => log.push(line),
      changed: look,
      restart: () => {
        restarted = true;
        look();
      },
    },
    stop.signal,
  );
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise<void>((resolve) => looks.push(resolve));
  };
  return {
    upgrader,
    log,
    stop,
    until,
    isRestarted: () => restarted,
    state: () => upgrader.question().upgrade?.state,
    /** What is said when it has come to this. */
    said: async (state: string) => {
      await until(() => upgrader.question().upgrade?.state === state);
      return upgrader.question().upgrade;
    },
  };
}

/** Offers it, waits until it is ready, and answers once more as the server does. */
async function upgrade(offer: UpgradeOffer, one = agent()): Promise<ReturnType<typeof agent>> {
  one.upgrader.answered(offer);
  await one.said("waiting");
  one.upgrader.answered(offer);
  return one;
}

const currentVersion = () => path.basename(path.dirname(readlinkSync(layout.current)));
const text = (file: string) => readFileSync(file, "utf8");

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

describe("an upgrade is refused, and not tried again until it is offered anew,", () => {
  const content = () => program("9.0.0");
  test.each<[string, () => UpgradeOffer, RegExp]>([
    [
      "when nobody trusted signed it",
      () => offerOf(releaseOf("9.0.0", content(), aSigner())),
      /signature/,
    ],
    [
      "when the manifest was changed",
      () => {
        const offer = offerOf(releaseOf("9.0.0"));
        return { ...offer, manifest: offer.manifest.replace("9.0.0", "9.0.1"), version: "9.0.1" };
      },
      /signature/,
    ],
    [
      "when the manifest is of another version",
      () => offerOf(releaseOf("9.0.0"), { version: "9.0.1" }),
      /of 9.0.0, not 9.0.1/,
    ],
    [
      "when the file is another one",
      () => {
        const offer = offerOf(releaseOf("9.0.0"));
        const other = offerOf(releaseOf("9.0.0"));
        const { bytes, sha256 } = other;
        return { ...offer, bytes, sha256 };
      },
      /not the one that the signed manifest names/,
    ],
    [
      "when it unpacks to more than the manifest says",
      () => {
        const offer = offerOf(releaseOf("9.0.0"));
        const other = aRelease(signer, "9.0.0", { [platform]: Buffer.alloc(5_000_000) });
        return { ...offer, ...give(other.packed.get(platform)!) };
      },
      /not the one that the signed manifest names/,
    ],
    [
      "when it is no gzip",
      () => ({ ...offerOf(releaseOf("9.0.0")), ...give(randomBytes(1000)) }),
      /can't be unpacked/,
    ],
    [
      "when it is cut short, though its hash is right",
      () => ({
        ...offerOf(releaseOf("9.0.0")),
        ...give(gzipSync(content()).subarray(0, 100_000)),
      }),
      /can't be unpacked/,
    ],
    [
      "when it does not run here",
      () => offerOf(releaseOf("9.0.0", "#!/no/such/loader\n")),
      /does not run here/,
    ],
    [
      "when it says that it is another version",
      () => offerOf(releaseOf("9.0.0", program("9.0.0", "pumice-worker 1.2.3"))),
      /does not run here.*1\.2\.3/,
    ],
    ["when it is older and nobody pinned it", () => offerOf(releaseOf("0.0.1")), /older/],
    [
      "when the release has nothing for this platform",
      () => {
        const other = platform === "linux-x64" ? "linux-arm64" : "linux-x64";
        const release = aRelease(signer, "9.0.0", { [other]: "x" });
        const { manifest, signature } = release.request;
        return { ...offerOf(releaseOf("9.0.0")), manifest, signature };
      },
      /no file for linux/,
    ],
  ])("%s", async (_, make, said) => {
    const offer = make();
    const one = agent();
    one.upgrader.answered(offer);
    expect(await one.said("failed")).toMatchObject({
      id: "1",
      reason: expect.stringMatching(said),
    });
    const requests = server.ranges.length;
    one.upgrader.answered(offer);
    const next = agent();
    expect(next.state()).toBe("failed");
    next.upgrader.answered(offer);
    expect(server.ranges.length).toBe(requests);
    expect(currentVersion()).toBe(VERSION);
    expect(existsSync(layout.trial)).toBe(false);
    const good = { ...offerOf(releaseOf("9.0.0")), id: "2" };
    await upgrade(good, next);
    expect(currentVersion()).toBe("9.0.0");
  });

  test("but an older one that is pinned is taken", async () => {
    await upgrade(offerOf(releaseOf("0.0.1"), { pinned: true }));
    expect(currentVersion()).toBe("0.0.1");
  });
});

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

/** Makes these bytes what the server has; their size and hash as an offer has them. */
function give(bytes: Buffer): Pick<UpgradeOffer, "bytes" | "sha256"> {
  server.content = bytes;
  return { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}
