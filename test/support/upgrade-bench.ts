import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach } from "vitest";
import { VERSION } from "#protocol/version.ts";
import type { UpgradeOffer } from "#protocol/worker-api.ts";
import { systemClock, type Clock } from "../../worker/agent/clock.ts";
import { Upgrader } from "../../worker/agent/upgrader.ts";
import { HttpClient } from "../../worker/host/http-client.ts";
import { layoutOf, type Layout } from "../../worker/install/layout.ts";
import { aRelease, aSigner, type TestRelease } from "./a-release.ts";
import { releaseServer, type ReleaseServer } from "./release-server.ts";

/** Trusted by this bench's workers. */
export const signer = aSigner();
/** Of the test that runs: a folder, what is installed there, a server of releases, the environment, the way to the server. */
export let dir: string;
export let layout: Layout;
export let server: ReleaseServer;
export let env: NodeJS.ProcessEnv;
export let http: HttpClient;
const stops: AbortController[] = [];

/** A program that says that it is this version, so large that it comes in many pieces. */
export const program = (version: string, said = `pumice-worker ${version}`): string =>
  `#!/bin/sh\necho "${said}"\nexit 0\n${randomBytes(200_000).toString("base64")}\n`;
/** What this machine is called in a release. */
export const platform = { x64: "linux-x64", arm64: "linux-arm64", arm: "linux-armv7" }[
  process.arch as "x64"
] as "linux-x64";
/** A release of a version for this machine only. */
export const releaseOf = (version: string, content = program(version), by = signer): TestRelease =>
  aRelease(by, version, { [platform]: content });

/** Puts a version where the installed ones are. */
export function install(version: string): void {
  const file = path.join(layout.dir, layout.fileOf(version));
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, program(version));
  chmodSync(file, 0o755);
}

/** Makes all of it anew for each test of a file. */
export function useUpgradeBench(): void {
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
}

/** Time whose pauses are over at once; what asked for them is in `slept`. */
export function eagerClock(): Clock & { slept: number[] } {
  const slept: number[] = [];
  return { ...systemClock, slept, sleep: async (ms) => void slept.push(ms) };
}

/** The offer of a release, whose file the server has from now on. */
export function offerOf(release: TestRelease, more: Partial<UpgradeOffer> = {}): UpgradeOffer {
  const { version, request, packed } = release;
  const [file] = request.files;
  server.content = packed.get(platform)!;
  const { manifest, signature } = request;
  const { bytes, sha256 } = file!;
  const { url } = server;
  return { id: "1", version, pinned: false, manifest, signature, url, bytes, sha256, ...more };
}

/** An agent's part that upgrades; ended with the test. */
export function agent(
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
export async function upgrade(
  offer: UpgradeOffer,
  one = agent(),
): Promise<ReturnType<typeof agent>> {
  one.upgrader.answered(offer);
  await one.said("waiting");
  one.upgrader.answered(offer);
  return one;
}

/** The version that the next start is of. */
export const currentVersion = () => path.basename(path.dirname(readlinkSync(layout.current)));
export const text = (file: string) => readFileSync(file, "utf8");

/** Makes these bytes what the server has; their size and hash as an offer has them. */
export function give(bytes: Buffer): Pick<UpgradeOffer, "bytes" | "sha256"> {
  server.content = bytes;
  return { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}
