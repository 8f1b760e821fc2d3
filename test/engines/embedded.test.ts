import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { openBlobs } from "../../control-plane/engines/embedded/blobs.ts";
import { createSignals } from "../../control-plane/engines/embedded/signals.ts";
import { openDatabase } from "../../control-plane/engines/embedded/sqlite.ts";
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

  test("a file that a newer version wrote is refused and left as it is; one of before has its form noted", () => {
    const file = path.join(folder(), "table.sqlite");
    const formNow = (): unknown => {
      const database = openDatabase(file);
      const [row] = database.all("PRAGMA user_version");
      database.close();
      return row?.["user_version"];
    };
    openStore(file).close();
    expect(formNow()).toBe(1);
    const newer = openDatabase(file);
    newer.exec("PRAGMA user_version = 2");
    newer.close();
    expect(() => openStore(file)).toThrow(`${file} was written by a newer Pumice (form 2`);
    expect(formNow()).toBe(2);
  });

  test("answers with what was written last, whatever was read before", async () => {
    const table = openTable(inMemory(), () => 0);
    const write = (sort: string, list: string, n: number) =>
      table.transact([
        {
          put: {
            key: { partition: "p", sort },
            data: { n },
            keys: { i1: { partition: list, sort } },
          },
        },
      ]);
    const numbers = async (list: string) =>
      (await table.query<{ n: number }>("i1", list)).items.map(({ data }) => data.n);
    expect([await numbers("a"), await table.get({ partition: "p", sort: "1" })]).toEqual([
      [],
      undefined,
    ]);
    await write("1", "a", 1);
    await write("2", "a", 2);
    expect([await numbers("a"), await numbers("b")]).toEqual([[1, 2], []]);
    // It leaves one list for another.
    await write("1", "b", 3);
    expect([await numbers("a"), await numbers("b")]).toEqual([[2], [3]]);
    await table.transact([{ delete: { partition: "p", sort: "2" } }]);
    expect([await numbers("a"), (await table.query("main", "p")).items.length]).toEqual([[], 1]);
  });

  test("knows what was written until that expires, and nothing of a transaction that failed", async () => {
    let now = 0;
    const table = openTable(inMemory(), () => now);
    const [first, second] = ["1", "2"].map((sort) => ({ partition: "p", sort }));
    const put = (n: number, more: object = {}) => ({
      put: { key: first!, data: { n }, keys: { i1: { partition: "list", sort: "1" } }, ...more },
    });
    const seen = async () => [
      (await table.get<{ n: number }>(first!))?.data.n,
      ...(await table.query<{ n: number }>("i1", "list")).items.map(({ data }) => data.n),
    ];
    await table.transact([put(1)]);
    await table.transact([put(2)]);
    expect(await seen()).toEqual([2, 2]);
    const failing = table.transact([put(3), { check: second!, when: { version: 1 } }]);
    await expect(failing).rejects.toThrow("is not");
    expect(await seen()).toEqual([2, 2]);
    await table.transact([{ ...put(4, { expires: 10 }), when: { version: 2 } }]);
    expect(await seen()).toEqual([4, 4]);
    now = 10;
    expect(await seen()).toEqual([undefined]);
    await table.transact([{ ...put(5), when: "absent" }]);
    expect(await seen()).toEqual([5, 5]);
  });

  test("gives everybody the same data, which nobody can change", async () => {
    const table = openTable(inMemory(), () => 0);
    const key = { partition: "p", sort: "s" };
    await table.transact([{ put: { key, data: { list: [1] } } }]);
    const item = await table.get<{ list: number[] }>(key);
    expect(() => item!.data.list.push(2)).toThrow(TypeError);
    expect((await table.get<{ list: number[] }>(key))!.data).toEqual({ list: [1] });
  });

  test("says that the disk keeps nothing any more, once it has failed to", async () => {
    const file = path.join(folder(), "table.sqlite");
    let failing = false;
    const store = openStore(file, (_, done) => done(failing ? new Error("EIO") : null));
    cleanups.unshift(() => store.close());
    const table = openTable(store, () => 0);
    const write = (sort: string) =>
      table.transact([{ put: { key: { partition: "p", sort }, data: {} } }]);
    await write("1");
    failing = true;
    await expect(write("2")).rejects.toThrow(/the disk failed to keep.*EIO/);
    failing = false;
    await expect(write("3")).rejects.toThrow(/the disk failed to keep/);
  });

  test("waits for the disk once for all that come while it waits", async () => {
    const waiting: (() => void)[] = [];
    const store = openStore(path.join(folder(), "table.sqlite"), (_, done) =>
      waiting.push(() => done(null)),
    );
    cleanups.unshift(() => store.close());
    const table = openTable(store, () => 0);
    const written = Array.from({ length: 10 }, (_, n) =>
      table.transact([{ put: { key: { partition: "p", sort: String(n) }, data: {} } }]),
    );
    await expect.poll(() => waiting.length).toBe(1);
    waiting.shift()!();
    await expect.poll(() => waiting.length).toBe(1);
    waiting.shift()!();
    await Promise.all(written);
    expect(waiting).toEqual([]);
  });

  test("writes numbers and small blobs with the next transaction that succeeds, and has them until then", async () => {
    const dir = folder();
    const file = path.join(dir, "table.sqlite");
    const store = openStore(file);
    const table = openTable(store, () => 0);
    const blobs = openBlobs(dir, "s", { now: () => 0 }, store);
    // What is found after a power cut: nobody else may open it now.
    const onDisk = () => {
      const copy = path.join(folder(), "copy");
      for (const end of ["", "-wal"]) if (existsSync(file + end)) cpSync(file + end, copy + end);
      const other = openDatabase(copy);
      const [row] = other.all(
        "SELECT (SELECT count(*) FROM blob) AS blobs, (SELECT value FROM counter) AS number",
      );
      other.close();
      return { ...row };
    };
    const bytes = new Uint8Array([1, 2, 3]);
    await blobs.put("jobs/1/definition.yaml", bytes);
    expect([await table.counter("job"), await table.counter("job")]).toEqual([1, 2]);
    expect(onDisk()).toEqual({ blobs: 0, number: null });
    expect(await blobs.get("jobs/1/definition.yaml")).toEqual(bytes);
    expect(await blobs.sizeBytes("jobs/1/definition.yaml")).toBe(3);
    const put = { key: { partition: "p", sort: "s" }, data: {} };
    await expect(table.transact([{ put, when: { version: 7 } }])).rejects.toThrow();
    expect(onDisk()).toEqual({ blobs: 0, number: null });
    await table.transact([{ put }]);
    expect(onDisk()).toEqual({ blobs: 1, number: 2 });
    await blobs.put("jobs/2/definition.yaml", bytes);
    await blobs.remove("jobs/2/definition.yaml");
    expect(await blobs.get("jobs/2/definition.yaml")).toBeUndefined();
    await blobs.put("jobs/3/definition.yaml", bytes);
    store.close();
    expect(onDisk()).toEqual({ blobs: 2, number: 2 });
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

  test("a large one takes the place of a small one, and a small one of a large one", async () => {
    const blobs = openBlobs(folder(), "secret", { now: () => 0 }, inMemory());
    for (const size of [10, 100_000, 20, 200_000]) {
      await blobs.put("jobs/1/definition.yaml", new Uint8Array(size).fill(7));
      expect(await blobs.sizeBytes("jobs/1/definition.yaml")).toBe(size);
      expect((await blobs.get("jobs/1/definition.yaml"))!.length).toBe(size);
    }
    await blobs.put("jobs/10/definition.yaml", new Uint8Array(1));
    await blobs.deletePrefix("jobs/1/");
    expect(await blobs.get("jobs/1/definition.yaml")).toBeUndefined();
    expect(await blobs.sizeBytes("jobs/10/definition.yaml")).toBe(1);
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

  test("run as many passes of a type at once as they may, and one more for all that came meanwhile", async () => {
    const signals = createSignals();
    let [running, most, runs] = [0, 0, 0];
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => (release = resolve));
    signals.servePasses(
      async () => {
        most = Math.max(most, ++running);
        // The third one has to wait for an end.
        if (++runs < 3) await signals.requestPass("qemu");
        if (runs === 2) release();
        await gate;
        running -= 1;
      },
      (error) => {
        throw error;
      },
      () => 2,
    );
    await signals.requestPass("qemu");
    await signals.passesDone();
    expect([most, runs]).toEqual([2, 3]);
  });

  test("have one pass for all that is asked for while a type rests after the last one", async () => {
    const signals = createSignals();
    let runs = 0;
    signals.servePasses(
      async () => void (runs += 1),
      (error) => {
        throw error;
      },
    );
    await signals.requestPass("qemu");
    await signals.passesDone();
    for (let n = 0; n < 10; n++) {
      await signals.requestPass("qemu");
      await new Promise((resolve) => setImmediate(resolve));
    }
    await signals.passesDone();
    expect(runs).toBeLessThan(11);
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
