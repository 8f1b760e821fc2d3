import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as v from "valibot";
import type { WorkerView } from "#protocol/api.ts";
import type { BackupPage } from "#protocol/backup.ts";
import type {
  PutReleaseAnswer,
  ReleaseView,
  RolloutView,
  StartRollout,
} from "#protocol/release-api.ts";
import { WORKER_PROTOCOL, type SyncRequest, type UpgradeReport } from "#protocol/worker-api.ts";
import { kindOf } from "../../control-plane/domain/item-kinds.ts";
import { releaseKeys } from "../../control-plane/domain/release-keys.ts";
import { placeOf } from "../../control-plane/domain/rollout-record.ts";
import { addRelease, aRelease, aSigner } from "../support/a-release.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

const signer = aSigner();
let lab: EmbeddedLab;
let bench: string;
beforeEach(async () => {
  lab = await embeddedLab();
  bench = await lab.addWorker();
});
afterEach(() => lab.close());

const OLD = { version: "1.0.0", platform: "linux-x64" } satisfies Partial<SyncRequest>;
const ask = (token: string, rest: Partial<SyncRequest> = {}) =>
  lab.sync(token, [], { ...OLD, ...rest });
const start = (body: { version: string } & Partial<StartRollout>) =>
  lab.api<{ rollout: RolloutView }>("/rollout", { body });
const rollout = async () => (await lab.api<{ rollout?: RolloutView }>("/rollout")).rollout;
const post = (where: string) =>
  lab.api<{ rollout: RolloutView }>(`/rollout/${where}`, { method: "POST" });
const told = (upgrade: Partial<UpgradeReport>, id = "x"): Partial<SyncRequest> => ({
  upgrade: { id, version: "2.0.0", state: "downloading", ...upgrade },
});
const problem = async (answer: Promise<Response>) => {
  const response = await answer;
  return [response.status, ((await response.json()) as { message: string }).message];
};

describe("a release", () => {
  test("is ready when all its files are in their place, and is read back whole", async () => {
    const release = aRelease(signer, "2.0.0", { "linux-x64": "x", "linux-armv7": "arm" });
    await lab.api("/release-keys", { method: "PUT", body: { pem: signer.publicPem } });
    const put = () =>
      lab.api<PutReleaseAnswer>("/releases/2.0.0", { method: "PUT", body: release.request });
    const first = await put();
    expect(first.release.ready).toBe(false);
    expect(first.uploads.map(({ platform }) => platform)).toEqual(["linux-x64", "linux-armv7"]);
    const [{ url, headers } = { url: "", headers: {} }] = first.uploads;
    const body = release.packed.get("linux-x64");
    await lab.request(url, { method: "PUT", token: null, headers, body });
    expect((await put()).uploads.map(({ platform }) => platform)).toEqual(["linux-armv7"]);
    expect(await problem(lab.request("/rollout", { body: { version: "2.0.0" } }))).toEqual([
      409,
      expect.stringContaining("files of release 2.0.0 are missing"),
    ]);
    await addRelease(lab, signer, release);
    const { releases } = await lab.api<{ releases: ReleaseView[] }>("/releases");
    expect(releases).toMatchObject([{ version: "2.0.0", ready: true, user: "admin" }]);
  });

  test("is refused unless a key of the lab signed it, and its version is new", async () => {
    const release = aRelease(signer, "2.0.0");
    const put = (body: object, version = "2.0.0") =>
      problem(lab.request(`/releases/${version}`, { method: "PUT", body }));
    expect(await put(release.request)).toEqual([409, expect.stringContaining("releases trust")]);
    await addRelease(lab, signer, release);
    const forged = aRelease(aSigner(), "2.0.0").request;
    expect(await put(forged)).toEqual([400, expect.stringContaining("signature")]);
    expect(await put(release.request, "2.0.1")).toEqual([400, expect.stringContaining("2.0.0")]);
    const other = aRelease(signer, "2.0.0", { "linux-x64": "other" }).request;
    expect(await put(other)).toEqual([409, expect.stringContaining("another release 2.0.0")]);
    const alice = await lab.addUser("alice");
    const answer = await lab.request("/releases/2.0.0", {
      method: "PUT",
      body: release.request,
      token: alice.token,
    });
    expect(answer.status).toBe(403);
  });

  test("is removed with its files, but not while it is rolled out", async () => {
    await addRelease(lab, signer, aRelease(signer, "2.0.0"));
    await ask(bench);
    const { rollout: begun } = await start({ version: "2.0.0" });
    const { upgrade } = await ask(bench);
    expect(upgrade?.id).toBe(begun.id);
    const remove = () => lab.request("/releases/2.0.0", { method: "DELETE" });
    expect((await remove()).status).toBe(409);
    await post("stop");
    expect((await remove()).status).toBe(204);
    expect((await lab.request(upgrade?.url ?? "", { token: null })).status).toBe(404);
    expect((await remove()).status).toBe(404);
  });

  test("key is handed out as it is trusted; a private key is not taken", async () => {
    expect(await releaseKeys(lab.deps)).toBe("");
    await lab.api("/release-keys", { method: "PUT", body: { pem: signer.publicPem } });
    await lab.api("/release-keys", { method: "PUT", body: { pem: signer.publicPem } });
    expect(await releaseKeys(lab.deps)).toBe(signer.publicPem);
    const body = { pem: signer.privatePem };
    expect(await problem(lab.request("/release-keys", { method: "PUT", body }))).toEqual([
      400,
      expect.stringContaining("private key"),
    ]);
  });
});

test("a backup has releases and keys, to which the files are brought again; the roll-out stays where it is", async () => {
  await addRelease(lab, signer, aRelease(signer, "2.0.0"));
  await ask(bench);
  await start({ version: "2.0.0" });
  const { items } = await lab.api<BackupPage>("/backup/items");
  const of = (partition: string) => items.find(({ key }) => key.partition === partition);
  expect(of("release-keys")?.data).toMatchObject({ pem: signer.publicPem });
  expect(of("rollout")).toBeUndefined();
  const release = of("releases")!;
  const kind = kindOf(release.key)!;
  expect(v.is(kind.schema, release.data)).toBe(true);
  const remade = kind.remake(release.data as never, release.key);
  expect(remade).toMatchObject({ key: release.key, data: { version: "2.0.0", ready: false } });
});

describe("a roll-out", () => {
  beforeEach(() => addRelease(lab, signer, aRelease(signer, "2.0.0")));

  test("reaches one worker, then a tenth with that one, then all; and no stage by itself", async () => {
    const tokens = new Map([["bench", bench]]);
    for (let n = 0; n < 15; n++) tokens.set(`w${n}`, await lab.addWorker(`w${n}`));
    for (const token of tokens.values()) await ask(token);
    const offered = async () => {
      const names: string[] = [];
      for (const [name, token] of tokens) if ((await ask(token)).upgrade) names.push(name);
      return names;
    };
    const inOrder = [...tokens.keys()].toSorted(
      (a, b) => placeOf(lab.deps, "2.0.0", a) - placeOf(lab.deps, "2.0.0", b),
    );
    const tenth = inOrder.filter((name) => placeOf(lab.deps, "2.0.0", name) < 0.1);
    const { rollout: begun } = await start({ version: "2.0.0" });
    expect(begun.first).toBe(inOrder[0]);
    expect(await offered()).toEqual([inOrder[0]]);
    await ask(tokens.get(begun.first)!, { version: "2.0.0" });
    expect((await offered()).filter((name) => name !== begun.first)).toEqual([]);
    expect((await post("next")).rollout.stage).toBe("10%");
    const second = await offered();
    expect(new Set(second)).toEqual(new Set([begun.first, ...tenth]));
    await post("next");
    expect(await offered()).toHaveLength(16);
    expect((await lab.request("/rollout/next", { method: "POST" })).status).toBe(409);
  });

  test("takes the worker that was named first, if that one can upgrade itself", async () => {
    const other = await lab.addWorker("other");
    await ask(bench);
    const refused = () =>
      problem(lab.request("/rollout", { body: { version: "2.0.0", worker: "other" } }));
    expect(await refused()).toEqual([409, expect.stringContaining("has not said")]);
    await lab.sync(other, [], { version: "1.0.0", by_hand: "it runs from a container" });
    expect(await refused()).toEqual([409, expect.stringContaining("runs from a container")]);
    await ask(other, { platform: "linux-arm64" });
    expect(await refused()).toEqual([409, expect.stringContaining("no file for linux-arm64")]);
    await ask(other);
    const { rollout: begun } = await start({ version: "2.0.0", worker: "other" });
    expect(begun.first).toBe("other");
    expect((await ask(other)).upgrade?.version).toBe("2.0.0");
    expect((await ask(bench)).upgrade).toBeUndefined();
  });

  test("is refused when no worker could take it", async () => {
    await ask(bench, { version: "2.0.0" });
    expect(await problem(lab.request("/rollout", { body: { version: "2.0.0" } }))).toEqual([
      409,
      expect.stringContaining("no worker could change to 2.0.0"),
    ]);
    expect((await lab.request("/rollout", { body: { version: "3.0.0" } })).status).toBe(404);
  });

  test("of a version that this control plane gives no jobs is refused, and so is a pin", async () => {
    await addRelease(lab, signer, aRelease(signer, "3.0.0", undefined, WORKER_PROTOCOL + 1));
    await ask(bench);
    const body = { version: "3.0.0" };
    const refused = [409, expect.stringContaining("3.0.0 would get no jobs: it speaks version")];
    expect(await problem(lab.request("/rollout", { body }))).toEqual(refused);
    const pinned = lab.request("/workers/bench/pin", { method: "PUT", body });
    expect(await problem(pinned)).toEqual(refused);
  });

  test("offers what its worker can check, under a link that works; the link is no news", async () => {
    await ask(bench);
    const { rollout: begun } = await start({ version: "2.0.0" });
    const first = await ask(bench);
    expect(first.upgrade).toMatchObject({ id: begun.id, version: "2.0.0", pinned: false });
    lab.pass(600);
    const second = await ask(bench);
    expect(second.upgrade?.url).not.toBe(first.upgrade?.url);
    expect(second.seen).toBe(first.seen);
    const got = await lab.request(second.upgrade?.url ?? "", { token: null });
    expect((await got.bytes()).length).toBe(second.upgrade?.bytes);
  });

  test("wakes a worker that waits, when it begins and when it stops", async () => {
    await lab.addDevice("qemu-01");
    const { seen } = await ask(bench);
    const held = ask(bench, { seen, wait_seconds: 60 });
    await start({ version: "2.0.0" });
    const offered = await held;
    expect(offered.upgrade?.version).toBe("2.0.0");
    const again = ask(bench, { seen: offered.seen, wait_seconds: 60 });
    await post("stop");
    expect((await again).upgrade).toBeUndefined();
    expect(await rollout()).toMatchObject({ active: false, reason: "admin stopped it" });
  });

  test("that was stopped goes on with the stage that it had", async () => {
    await ask(bench);
    await start({ version: "2.0.0", stage: "10%" });
    await post("stop");
    expect((await ask(bench)).upgrade).toBeUndefined();
    expect((await post("next")).rollout).toMatchObject({ active: true, stage: "10%" });
    expect((await rollout())?.reason).toBeUndefined();
    expect((await ask(bench)).upgrade?.version).toBe("2.0.0");
  });

  test("never leads to an older version, and leaves those alone that can't upgrade themselves", async () => {
    await ask(bench);
    const container = await lab.addWorker("container");
    await start({ version: "2.0.0", stage: "all" });
    expect((await ask(bench, { version: "2.1.0" })).upgrade).toBeUndefined();
    expect((await ask(bench, { version: "2.0.0-rc.1" })).upgrade?.version).toBe("2.0.0");
    const byHand = { version: "1.0.0", by_hand: "it runs from a container" };
    expect((await lab.sync(container, [], byHand)).upgrade).toBeUndefined();
    expect((await rollout())?.workers).toMatchObject([
      { name: "bench", state: "offered" },
      { name: "container", state: "by_hand", detail: "it runs from a container" },
    ]);
    expect(await lab.api<WorkerView>("/workers/container")).toMatchObject({
      by_hand: "it runs from a container",
    });
  });

  test("tells how far each worker is", async () => {
    await ask(bench);
    const { rollout: begun } = await start({ version: "2.0.0" });
    const state = async () => (await rollout())?.workers[0];
    await ask(bench, told({ percent: 40 }, begun.id));
    expect(await state()).toMatchObject({ state: "downloading", detail: "40 %" });
    await ask(bench, told({ state: "failed", reason: "no room" }, begun.id));
    expect(await state()).toMatchObject({ state: "failed", detail: "no room" });
    await ask(bench, told({ state: "a new one" }, begun.id));
    expect(await state()).toMatchObject({ state: "offered" });
    await ask(bench, { version: "2.0.0" });
    expect(await state()).toEqual({ name: "bench", version: "2.0.0", state: "upgraded" });
  });

  test("stops by itself when a worker goes back, and says why; another one may be begun", async () => {
    const other = await lab.addWorker("other");
    await ask(other);
    await ask(bench);
    const { rollout: begun } = await start({ version: "2.0.0", stage: "all" });
    await ask(bench, told({ state: "rolled_back", reason: "it did not sync" }, "an older one"));
    expect((await rollout())?.active).toBe(true);
    await ask(bench, told({ state: "rolled_back", reason: "it did not sync" }, begun.id));
    expect(await rollout()).toMatchObject({
      active: false,
      reason: "worker bench went back to its old version: it did not sync",
    });
    expect((await ask(other)).upgrade).toBeUndefined();
    // Who goes on all the same is not stopped by the same worker again.
    await post("next");
    await ask(bench, told({ state: "rolled_back", reason: "it did not sync" }, begun.id));
    expect((await ask(other)).upgrade?.version).toBe("2.0.0");
    const { rollout: next } = await start({ version: "2.0.0", worker: "other" });
    expect(next.id).not.toBe(begun.id);
    await ask(bench, told({ state: "rolled_back", reason: "it did not sync" }, begun.id));
    expect((await rollout())?.active).toBe(true);
  });
});

describe("a pinned worker", () => {
  const pin = (version: string, name = "bench") =>
    lab.api<WorkerView>(`/workers/${name}/pin`, { method: "PUT", body: { version } });
  beforeEach(async () => {
    await addRelease(lab, signer, aRelease(signer, "0.9.0"));
    await addRelease(lab, signer, aRelease(signer, "2.0.0"));
    await ask(bench);
  });

  test("changes to its version, be it older, whatever is rolled out", async () => {
    await start({ version: "2.0.0", stage: "all" });
    expect((await pin("0.9.0")).pin?.version).toBe("0.9.0");
    expect((await ask(bench)).upgrade).toMatchObject({ version: "0.9.0", pinned: true });
    expect((await ask(bench, { version: "0.9.0" })).upgrade).toBeUndefined();
    expect((await rollout())?.workers).toMatchObject([{ state: "pinned", detail: "to 0.9.0" }]);
    await lab.api("/workers/bench/pin", { method: "DELETE" });
    expect((await ask(bench, { version: "0.9.0" })).upgrade?.version).toBe("2.0.0");
  });

  test("may stay at the version that it has without a release of it", async () => {
    await pin("1.0.0");
    await start({ version: "2.0.0", stage: "all" }).catch(() => {});
    expect((await ask(bench)).upgrade).toBeUndefined();
    const body = { version: "7.0.0" };
    expect((await lab.request("/workers/bench/pin", { method: "PUT", body })).status).toBe(404);
  });

  test("is told at once, and pinning again is another offer", async () => {
    const { seen } = await ask(bench);
    const held = ask(bench, { seen, wait_seconds: 60 });
    await pin("2.0.0");
    const first = (await held).upgrade;
    expect(first?.version).toBe("2.0.0");
    await pin("2.0.0");
    expect((await ask(bench)).upgrade?.id).not.toBe(first?.id);
  });
});

test("a worker of another protocol is told why it gets no jobs, as are those who look; it may be upgraded", async () => {
  await addRelease(lab, signer, aRelease(signer, "2.0.0"));
  await ask(bench, { protocol: 99 });
  await start({ version: "2.0.0" });
  const answer = await ask(bench, { protocol: 99 });
  expect(answer.notice).toMatch(/gets no new jobs: its version 1.0.0 speaks version 99/);
  expect(answer.upgrade?.version).toBe("2.0.0");
  expect(await lab.api<WorkerView>("/workers/bench")).toMatchObject({
    state: "Offline",
    protocol: 99,
    notice: answer.notice,
  });
  expect((await ask(bench)).notice).toBeUndefined();
});
