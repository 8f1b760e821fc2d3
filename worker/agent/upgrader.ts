import { rmSync, statfsSync } from "node:fs";
import path from "node:path";
import { compareVersions } from "#protocol/compare-versions.ts";
import { verifyManifest } from "#protocol/release-signature.ts";
import type { ReleaseFile } from "#protocol/release.ts";
import { VERSION } from "#protocol/version.ts";
import type { SyncRequest, UpgradeOffer, UpgradeReport } from "#protocol/worker-api.ts";
import { readJsonFile, writeFileAtomic } from "../host/atomic-file.ts";
import { HttpError, type HttpClient } from "../host/http-client.ts";
import type { Layout } from "../install/layout.ts";
import { Backoff } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { downloadRelease } from "./download-release.ts";
import { unpackRelease } from "./unpack-release.ts";
import { upgradeAbility, type UpgradeAbility } from "./upgrade-ability.ts";
import { LinkExpired, UpgradeRefused } from "./upgrade-failure.ts";
import {
  confirm,
  forgetRolledBack,
  goBack,
  prune,
  readRolledBack,
  swapTo,
  versionOnTrial,
} from "./versions.ts";

export interface UpgraderDeps {
  readonly layout: Layout | undefined;
  readonly http: Pick<HttpClient, "open">;
  readonly clock: Clock;
  /** A device is just being served by this process: the swap waits. */
  readonly isBusy?: (() => boolean) | undefined;
  readonly log: (line: string) => void;
  /** There is something to tell: sync at once. */
  readonly changed: () => void;
  /** Ends the agent, so that its service manager starts the other version. */
  readonly restart: () => void;
  readonly env?: NodeJS.ProcessEnv;
}

type Able = Extract<UpgradeAbility, { platform: unknown }>;

/** How long a new version has to reach its control plane, unless PUMICE_UPGRADE_CONFIRM_SECONDS says less: its launcher ends it after 360. */
const CONFIRM_SECONDS = 300;
/** What is told of a download, in percent. */
const STEP = 10;
/** Unpacking needs the packed file too; and a full disk stops the jobs as well. */
const SPARE_BYTES = 32 * 1024 * 1024;
/** Sync takes no more of `by_hand`. */
const MAX_BY_HAND = 500;
const SILENCE = "it has not reached its control plane";

/**
 * The agent's part in upgrades (docs/upgrades.md): fetches and checks the version that sync offers, swaps to it when the control
 * plane has been told and still wants it, and goes back from one that does not reach its control plane. Runners go on meanwhile.
 */
export class Upgrader {
  readonly #deps: UpgraderDeps;
  readonly #env: NodeJS.ProcessEnv;
  readonly #signal: AbortSignal;
  #offer: UpgradeOffer | undefined;
  #work: AbortController | undefined;
  #report: UpgradeReport | undefined;
  /** What was given up, and is not tried again until it is offered anew. */
  #settled: UpgradeReport | undefined;
  /** The version before has just been given up, and this is the first start since. */
  #isFreshlyBack = false;
  #hasSynced = false;
  #lastError = "";
  #wasAway = false;
  #hasTold = false;
  #needsLink = false;

  constructor(deps: UpgraderDeps, signal: AbortSignal) {
    this.#deps = deps;
    this.#env = deps.env ?? process.env;
    this.#signal = signal;
    const { layout } = deps;
    if (!layout) return;
    this.#readPast(layout);
    if (versionOnTrial(layout) === VERSION) void this.#limitTrial(layout);
  }

  /** What the next request of sync says. */
  question(): Pick<SyncRequest, "platform" | "by_hand" | "upgrade"> {
    const ability = upgradeAbility(this.#deps.layout, this.#env);
    // It may be our control plane that was away, not the new version that was at fault.
    const settled = this.#isFreshlyBack && this.#wasAway ? undefined : this.#settled;
    const upgrade = this.#report ?? settled;
    this.#hasTold = upgrade?.state === "waiting";
    return {
      ...("platform" in ability
        ? { platform: ability.platform }
        : { by_hand: ability.byHand.slice(0, MAX_BY_HAND) }),
      ...(upgrade ? { upgrade } : {}),
    };
  }

  /** Whether the answer to it should not be held back. */
  get isUrgent(): boolean {
    return this.#needsLink || this.#report?.state === "waiting";
  }

  /** A sync failed. */
  failed(error: unknown): void {
    this.#lastError = error instanceof Error ? error.message : String(error);
    const isAway = error instanceof HttpError && (error.status === 0 || error.status >= 500);
    if (!this.#hasSynced && isAway) this.#wasAway = true;
  }

  /** A sync was answered, with this offer or none. */
  answered(offer: UpgradeOffer | undefined): void {
    if (!this.#hasSynced) this.#first(offer);
    this.#needsLink = false;
    if (!offer || offer.version === VERSION || offer.id === this.#settled?.id) {
      return this.#drop(offer);
    }
    if (offer.id !== this.#offer?.id) this.#drop(offer);
    this.#offer = offer;
    const ability = upgradeAbility(this.#deps.layout, this.#env);
    if (!("platform" in ability)) return;
    if (this.#report?.state === "waiting" && this.#hasTold) {
      // Asked again at once, as the answer is urgent.
      return this.#deps.isBusy?.() ? undefined : this.#swap(ability.layout, offer);
    }
    this.#work ??= this.#begin(ability, offer.id);
  }

  /** The first answer since we were started. */
  #first(offer: UpgradeOffer | undefined): void {
    this.#hasSynced = true;
    const { layout, log } = this.#deps;
    if (!layout) return;
    if (this.#isFreshlyBack && this.#wasAway && this.#settled?.reason?.includes(SILENCE)) {
      log(`the control plane was away: ${this.#settled.version} may be tried again`);
      this.#settle(layout, undefined);
    }
    this.#isFreshlyBack = false;
    try {
      if (versionOnTrial(layout) === VERSION) {
        confirm(layout);
        log(`upgraded to ${VERSION}`);
      }
      if (!offer) rmSync(incoming(layout), { recursive: true, force: true });
      const removed = prune(layout);
      if (removed.length > 0) log(`removed versions ${removed.join(", ")}`);
    } catch (error) {
      // Whatever is wrong with this folder, jobs go on.
      log(`${layout.dir}: ${(error as Error).message}`);
    }
  }

  #drop(offer: UpgradeOffer | undefined): void {
    if (!this.#work && !this.#report) return;
    const { version = "" } = this.#offer ?? {};
    this.#work?.abort(new Error("not wanted any more"));
    this.#work = undefined;
    this.#report = undefined;
    this.#offer = undefined;
    if (!offer) this.#deps.log(`the upgrade to ${version} is not wanted any more`);
  }

  #begin(ability: Able, id: string): AbortController {
    const work = new AbortController();
    const stop = (): void => work.abort(this.#signal.reason);
    this.#signal.addEventListener("abort", stop, { once: true });
    this.#prepare(ability, id, work.signal)
      .catch((error: unknown) => {
        if (!work.signal.aborted) this.#giveUp(ability.layout, id, error);
      })
      .finally(() => this.#signal.removeEventListener("abort", stop));
    return work;
  }

  /** Tries until the version is in its place, or is refused. */
  async #prepare(ability: Able, id: string, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    const backoff = new Backoff(clock);
    log(`upgrading from ${VERSION} to ${this.#offer?.version}`);
    for (;;) {
      signal.throwIfAborted();
      const offer = this.#offer;
      if (!offer || offer.id !== id) return;
      try {
        await this.#fetch(ability, offer, signal);
        this.#tell({ ...reportOf(offer), state: "waiting" });
        return;
      } catch (error) {
        if (signal.aborted || error instanceof UpgradeRefused) throw error;
        const reason = (error as Error).message;
        if (this.#report?.reason !== reason) log(`upgrade to ${offer.version}: ${reason}`);
        // The sync that is asked for now brings another link.
        this.#needsLink = error instanceof LinkExpired;
        this.#tell({ ...reportOf(offer), state: "downloading", reason: reason.slice(0, 1000) });
        await clock.sleep(backoff.next(error), signal);
      }
    }
  }

  async #fetch({ layout, keys, platform }: Able, offer: UpgradeOffer, signal: AbortSignal) {
    const file = checkOffer(offer, keys, platform);
    requireRoom(layout, offer.bytes + file.bytes);
    const { http, clock } = this.#deps;
    let told = -1;
    const packed = await downloadRelease({
      http,
      clock,
      folder: incoming(layout),
      url: offer.url,
      bytes: offer.bytes,
      sha256: offer.sha256,
      kbps: Number(this.#env["PUMICE_UPGRADE_KBPS"]) || 0,
      signal,
      onProgress: (received) => {
        const percent = Math.floor((received * 100) / offer.bytes / STEP) * STEP;
        if (percent === told) return;
        told = percent;
        this.#tell({ ...reportOf(offer), state: "downloading", percent });
      },
    });
    await unpackRelease(layout, offer.version, packed, file, signal);
  }

  #swap(layout: Layout, { id, version }: UpgradeOffer): void {
    const { log, restart } = this.#deps;
    try {
      writeFileAtomic(stateFile(layout), JSON.stringify({ id, version }));
      swapTo(layout, version);
    } catch (error) {
      const why = `it can't be swapped to: ${(error as Error).message}`;
      return this.#giveUp(layout, id, new Error(why));
    }
    log(`starting as ${version}; running jobs go on`);
    restart();
  }

  #giveUp(layout: Layout, id: string, error: unknown): void {
    const { version = "" } = this.#offer ?? {};
    const reason = (error as Error).message.slice(0, 1000);
    this.#deps.log(`the upgrade to ${version} has failed: ${reason}`);
    this.#work = undefined;
    this.#report = undefined;
    this.#settle(layout, { id, version, state: "failed", reason });
    this.#deps.changed();
  }

  #tell(report: UpgradeReport): void {
    this.#report = report;
    this.#deps.changed();
  }

  /** On disk too: what failed must not be tried again by the next start. */
  #settle(layout: Layout, settled: UpgradeReport | undefined): void {
    this.#settled = settled;
    try {
      writeFileAtomic(stateFile(layout), JSON.stringify(settled ?? {}));
      forgetRolledBack(layout);
    } catch (error) {
      this.#deps.log(`${stateFile(layout)}: ${String(error)}`);
    }
  }

  #readPast(layout: Layout): void {
    const past = readState(layout);
    const back = readRolledBack(layout);
    if (back && back.version !== VERSION) {
      const { version, why } = back;
      const id = past?.version === version ? (past.id ?? "") : "";
      this.#isFreshlyBack = true;
      this.#deps.log(`${version} was given up: ${why}`);
      this.#settle(layout, { id, version, state: "rolled_back", reason: why });
    } else if (past?.id !== undefined && past.state !== undefined && past.version !== undefined) {
      const { id, version, state, reason = "" } = past;
      if (version !== VERSION) this.#settled = { id, version, state, reason };
    }
  }

  async #limitTrial(layout: Layout): Promise<void> {
    const asked = Number(this.#env["PUMICE_UPGRADE_CONFIRM_SECONDS"]);
    const seconds = asked > 0 ? Math.min(asked, CONFIRM_SECONDS) : CONFIRM_SECONDS;
    await this.#deps.clock.sleep(seconds * 1000, this.#signal);
    if (this.#hasSynced || this.#signal.aborted) return;
    const why = `${SILENCE} within ${seconds} s: ${this.#lastError || "no answer"}`;
    this.#deps.log(`${VERSION} is given up: ${why}`);
    try {
      goBack(layout, VERSION, why);
      this.#deps.restart();
    } catch (error) {
      this.#deps.log(`the version before can't be started: ${String(error)}`);
    }
  }
}

/** Where a download is until it is whole and unpacked. */
const incoming = (layout: Layout): string => path.join(layout.dir, "incoming");
const stateFile = (layout: Layout): string => path.join(layout.dir, "upgrade.json");

function readState(layout: Layout): Partial<UpgradeReport> | undefined {
  try {
    return readJsonFile(stateFile(layout)) as Partial<UpgradeReport> | undefined;
  } catch {
    return undefined;
  }
}

const reportOf = ({ id, version }: UpgradeOffer): Pick<UpgradeReport, "id" | "version"> => ({
  id,
  version,
});

/** The file that the signed manifest names for this platform. Throws `UpgradeRefused`. */
function checkOffer(offer: UpgradeOffer, keys: string[], platform: string): ReleaseFile {
  let manifest;
  try {
    manifest = verifyManifest(offer.manifest, offer.signature, keys);
  } catch (error) {
    throw new UpgradeRefused((error as Error).message);
  }
  if (manifest.version !== offer.version) {
    throw new UpgradeRefused(`the manifest is of ${manifest.version}, not ${offer.version}`);
  }
  if (!offer.pinned && compareVersions(offer.version, VERSION) < 0) {
    throw new UpgradeRefused(`it is older than ${VERSION}, and not pinned`);
  }
  const file = manifest.files.find((one) => one.platform === platform);
  if (!file) throw new UpgradeRefused(`the release has no file for ${platform}`);
  // What can't be compressed grows a little.
  if (offer.bytes > file.bytes * 1.01 + 1024) {
    throw new UpgradeRefused("what is offered is larger than the file of the manifest");
  }
  return file;
}

function requireRoom({ dir }: Layout, bytes: number): void {
  const { bavail, bsize } = statfsSync(dir);
  const free = bavail * bsize;
  if (free >= bytes + SPARE_BYTES) return;
  const [needed, there] = [bytes + SPARE_BYTES, free].map((n) => `${Math.ceil(n / 1e6)} MB`);
  throw new Error(`${dir} has ${there} free, ${needed} are needed`);
}
