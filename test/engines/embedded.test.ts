import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { openBlobs } from "../../control-plane/engines/embedded/blobs.ts";
import { createSignals } from "../../control-plane/engines/embedded/signals.ts";
import { openStore, type Store } from "../../control-plane/engines/embedded/store.ts";
import { openTable } from "../../control-plane/engines/embedded/table.ts";
import { blobsConformance } from "../conformance/blobs.ts";
import { signalsConformance } from "../conformance/signals.ts";
import { tableConformance } from "../conformance/table.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), "pumice-engine-"));
  cleanups.push(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

function inMemory(): Store {
  const store = openStore(":memory:");
  cleanups.push(() => store.close());
  return store;
}

describe("table in SQLite", () => {
  tableConformance(async (now) => {
    return openTable(inMemory(), now);
  });

  test("keeps what was committed when it is opened again", async () => {
    const file = path.join(folder(), "table.sqlite");
    const store = openStore(file);
    const first = openTable(store, () => 0);
    const keys = { i1: { partition: "list", sort: "1" } };
    await first.transact([{ put: { key: { partition: "p", sort: "s" }, data: { a: 1 }, keys } }]);
    await first.counter("job");
    store.close();
    const again = openStore(file);
    cleanups.unshift(() => again.close());
    const second = openTable(again, () => 0);
    expect((await second.query("i1", "list")).items).toHaveLength(1);
    expect(await second.counter("job")).toBe(2);
  });

  test("removes what has expired from the disk", async () => {
    let now = 0;
    const table = openTable(inMemory(), () => now);
    const key = { partition: "p", sort: "s" };
    await table.transact([{ put: { key, data: {}, expires: 10 } }]);
    now = 10;
    table.removeExpired();
    now = 0;
    expect(await table.get(key)).toBeUndefined();
  });
});

describe("blobs on disk", () => {
  blobsConformance(async () => {
    let now = 1_000_000;
    const blobs = openBlobs(folder(), "secret", { now: () => now }, inMemory());
    return {
      blobs,
      pass: (seconds) => (now += seconds * 1000),
      send: async ({ url, method, headers }, body) => {
        const address = new URL(url, "http://lab.test");
        const response = await blobs.serve(
          new Request(address, { method, headers, body: (body ?? null) as BodyInit | null }),
        );
        const { status, headers: answered } = response;
        // Not `bytes()`: of the Response that @hono/node-server puts in place of Node.js's it fails.
        const received = new Uint8Array(await response.arrayBuffer());
        return { status, headers: answered, body: received };
      },
    };
  });

  test("signed by another lab are refused", async () => {
    const ours = openBlobs(folder(), "secret", { now: () => 0 }, inMemory());
    const theirs = openBlobs(folder(), "other", { now: () => 0 }, inMemory());
    await ours.put("a", new Uint8Array(1));
    const { url } = await theirs.signGet("a", 60);
    expect((await ours.serve(new Request(new URL(url, "http://lab.test")))).status).toBe(403);
  });
});

describe("signals in memory", () => {
  signalsConformance(
    async (onPass) => {
      const signals = createSignals();
      signals.servePasses(
        async (type) => onPass(type),
        (error) => {
          throw error;
        },
      );
      cleanups.push(() => signals.close());
      return signals;
    },
    { ownBells: true },
  );

  test("run no two passes of a type at once, and one more for all that came meanwhile", async () => {
    const signals = createSignals();
    let running = 0;
    let runs = 0;
    signals.servePasses(
      async () => {
        expect(++running).toBe(1);
        runs += 1;
        if (runs === 1) for (let n = 0; n < 10; n++) await signals.requestPass("qemu");
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
      },
      (error) => {
        throw error;
      },
    );
    await signals.requestPass("qemu");
    await signals.passesDone();
    expect(runs).toBe(2);
  });

  test("keep scheduling after a pass that failed", async () => {
    const signals = createSignals();
    const failures: unknown[] = [];
    let runs = 0;
    signals.servePasses(
      async () => {
        if (++runs === 1) throw new Error("disk full");
      },
      (error) => failures.push(error),
    );
    await signals.requestPass("qemu");
    await signals.passesDone();
    await signals.requestPass("qemu");
    await signals.passesDone();
    expect([runs, failures.length]).toEqual([2, 1]);
  });

  test("answer every wait when they are closed", async () => {
    const signals = createSignals();
    const listener = signals.listen("worker/w");
    const wait = listener.rung(60_000);
    signals.close();
    expect(await wait).toBe(false);
    expect(await listener.rung(60_000)).toBe(false);
  });
});
