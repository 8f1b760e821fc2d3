import { createAdaptorServer } from "@hono/node-server";
import { once } from "node:events";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JobView } from "#protocol/api.ts";
import { makeBackup } from "../../control-plane/cli/backup/make-backup.ts";
import { makeClient } from "../../control-plane/cli/client.ts";
import {
  chunkBlob,
  definitionBlob,
  deviceBlob,
  multinodeBlob,
} from "../../control-plane/domain/blob-names.ts";
import type { ChunkRecord } from "../../control-plane/domain/log-chunks.ts";
import { answersOf, fillLab, type Moving } from "../conformance/move.ts";
import { cli } from "../support/cli-run.ts";
import type { EmbeddedLab } from "../support/embedded-lab.ts";
import { aGroupJob } from "../support/group-job.ts";
import { listeningLab } from "../support/listening-lab.ts";

type Listening = Awaited<ReturnType<typeof listeningLab>>;
// Blobs that go through the lab itself can be cut and damaged here.
const embedded = () => listeningLab({}, "embedded");

let lab: Listening;
let base: string;
let dir: string;
let moving: Moving;
const cleanups: (() => Promise<void> | void)[] = [];

beforeEach(async () => {
  base = mkdtempSync(path.join(tmpdir(), "pumice-backup-"));
  dir = path.join(base, "backup");
  lab = await embedded();
  cleanups.push(() => lab.close());
  moving = await fillLab(lab);
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
  rmSync(base, { recursive: true, force: true });
});

const pumice = (at: { url: string; adminToken: string }, ...args: string[]) =>
  cli(args, { PUMICE_URL: at.url, PUMICE_TOKEN: at.adminToken });
const manifest = () => JSON.parse(readFileSync(path.join(dir, "backup.json"), "utf8"));

async function newLab(): Promise<Listening> {
  const made = await embedded();
  cleanups.push(() => made.close());
  return made;
}

/** A lab behind an address that answers so many requests and refuses all others. */
async function frontOf(behind: EmbeddedLab) {
  const front = {
    url: "",
    adminToken: behind.adminToken,
    left: Infinity,
    heard: [] as string[],
    before: async (_where: string): Promise<void> => {},
  };
  const server = createAdaptorServer({
    fetch: async (request) => {
      const where = `${request.method} ${new URL(request.url).pathname}`;
      front.heard.push(where);
      await front.before(where);
      if (front.left-- <= 0) return new Response("cut\n", { status: 400 });
      return behind.app.fetch(request);
    },
  }) as Server;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  front.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  cleanups.unshift(async () => {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  });
  return front;
}

describe("export --all", () => {
  test("writes a folder for its owner alone, with everything named in backup.json", async () => {
    const { code, out, said } = await pumice(lab, "export", dir, "--all");
    expect([code, out]).toEqual([0, expect.stringMatching(/: items: \d+, files of jobs: 11, /)]);
    expect(said).toMatch(/^items: \d+, files of jobs: 11, 0\.0 MB\n/);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    expect(statSync(path.join(dir, "items-00001.jsonl.gz")).mode & 0o777).toBe(0o600);
    expect(manifest()).toMatchObject({
      format: 1,
      engine: "embedded",
      from: lab.url,
      begun: "2026-03-01T12:00:00.000Z",
      closed: false,
      complete: true,
      counts: { missing_blobs: 0 },
    });
    expect(manifest().files[0].name).toBe("blobs-00001.jsonl.gz");
    expect((await pumice(lab, "export", dir, "--all")).said).toContain("complete backup");
  });

  test("takes no tokens' texts, sessions, links, secrets, nor what is of this place", async () => {
    await pumice(lab, "sign-in");
    await pumice(lab, "export", dir, "--all", "--close");
    const { gunzipSync } = await import("node:zlib");
    const text = readdirSync(dir)
      .filter((name) => name.startsWith("items-"))
      .map((name) => gunzipSync(readFileSync(path.join(dir, name))).toString())
      .join("");
    for (const secret of [moving.alice, moving.worker, moving.job, lab.adminToken]) {
      expect(text).not.toContain(secret.slice(-43));
    }
    expect(text).not.toContain('"sign-in"');
    expect(text).not.toContain('"session"');
    const ofLab = [...text.matchAll(/"partition":"lab","sort":"([^"]*)"/g)].map(([, name]) => name);
    // What the lab's people set goes along.
    expect(ofLab).toEqual(["settings"]);
  });

  test("that is cut after any request goes on where it was, and is whole in the end", async () => {
    const before = await answersOf(lab);
    const front = await frontOf(lab);
    expect((await pumice(front, "export", path.join(base, "uncut"), "--all")).code).toBe(0);
    const requests = front.heard.length;
    for (let cut = 0; cut < requests; cut++) {
      dir = path.join(base, `cut-${cut}`);
      front.left = cut;
      expect((await pumice(front, "export", dir, "--all")).code).toBe(2);
      if (existsSync(dir)) expect((await pumice(lab, "import", dir, "--check")).code).toBe(2);
      front.left = Infinity;
      expect((await pumice(front, "export", dir, "--all")).code).toBe(0);
      expect((await pumice(lab, "import", dir, "--check")).code).toBe(0);
    }
    const other = await newLab();
    await pumice(other, "import", dir);
    expect(await answersOf(other)).toEqual(before);
  });

  test("in many pages and files, cut anywhere, has every item", async () => {
    const tags = Object.fromEntries(Array.from({ length: 700 }, (_, n) => [`tag-${n}`, {}]));
    await lab.api("/lab/apply", { body: { lab: { tags } } });
    const before = await lab.api("/tags");
    const front = await frontOf(lab);
    const terminal = { out() {}, say() {}, useColours: false };
    const run = () => {
      const { signal } = new AbortController();
      const client = () => makeClient({ ...front, token: lab.adminToken, signal, patienceMs: 0 });
      const context = { terminal, client, values: {}, positionals: [], env: {}, signal };
      return makeBackup(context, dir, { close: false, itemsPerFile: 100 });
    };
    let cuts = 0;
    for (let left = 2; ; left += 1) {
      front.left = left;
      if (await run().catch(() => undefined)) break;
      cuts += 1;
    }
    expect(cuts).toBeGreaterThan(3);
    expect(manifest().files.length).toBeGreaterThan(6);
    const other = await newLab();
    await pumice(other, "import", dir);
    expect(await other.api("/tags")).toEqual(before);
    expect(await answersOf(other)).toEqual(await answersOf(lab));
  });

  test("of a lab that goes on has each job with all of its log, as it was or as it ended", async () => {
    const front = await frontOf(lab);
    let lines = 2;
    let isOver = false;
    front.before = async (where) => {
      if (where === "GET /api/v1/backup/items" && lines < 4) {
        lines = await lab.ship(3, moving.job, lines, [{ lvl: "info", msg: `line ${lines}` }]);
      }
      if (where !== "GET /api/v1/backup/jobs/3" || isOver) return;
      isOver = true;
      await lab.finish(3, moving.job, { result: "pass", lines });
      await lab.sync(moving.worker);
    };
    expect((await pumice(front, "export", dir, "--all")).code).toBe(0);
    expect([lines, isOver]).toEqual([4, true]);
    expect((await lab.api<JobView>("/jobs/4")).state).toBe("Scheduled");
    const other = await newLab();
    await pumice(other, "import", dir);
    expect(await other.job(3)).toMatchObject({ state: "Finished", log_lines: 4 });
    const log = (at: Listening) => at.api("/jobs/3/log");
    expect(await log(other)).toEqual(await log(lab));
    // It waited when it was read, so it waits.
    expect(await other.job(4)).toMatchObject({ state: "Submitted" });
    const { start } = await other.sync(moving.worker);
    expect(start.length + (await other.sync(moving.worker)).start.length).toBeGreaterThan(0);
  });

  test("fetches no file again that is there", async () => {
    const front = await frontOf(lab);
    front.left = 12;
    expect((await pumice(front, "export", dir, "--all")).code).toBe(2);
    const fetched = (heard: string[]) => heard.filter((one) => one.startsWith("GET /blobs/"));
    const first = fetched(front.heard.splice(0).slice(0, 12));
    front.left = Infinity;
    await pumice(front, "export", dir, "--all");
    expect(fetched(front.heard).filter((one) => first.includes(one))).toEqual([]);
  });

  test("says which files a lab has lost, and goes on without them", async () => {
    const { blobs } = lab.deps;
    await blobs.remove(definitionBlob(2));
    const chunks = await lab.deps.table.query<ChunkRecord>("main", "job#1", {
      from: "chunk",
      to: "chunk~",
    });
    const { first_line, sha256 } = chunks.items[0]!.data;
    await blobs.put(chunkBlob(1, first_line, sha256), new TextEncoder().encode("damaged"));
    const { code, said } = await pumice(lab, "export", dir, "--all");
    expect([code, said]).toEqual([0, expect.stringContaining("warning: 2 files of jobs")]);
    const other = await newLab();
    expect((await pumice(other, "import", dir)).code).toBe(0);
    expect((await other.request("/jobs/2/definition")).status).toBe(404);
    expect((await other.request("/jobs/2")).status).toBe(200);
  });

  test("has of a group what was submitted for all of it, and of a job the configuration that its device had", async () => {
    const { job_ids } = await lab.api<{ job_ids: [number] }>("/jobs", { body: aGroupJob() });
    await lab.deps.blobs.put(deviceBlob(1, 1), new TextEncoder().encode("as it was: then\n"));
    expect((await pumice(lab, "export", dir, "--all")).code).toBe(0);
    const other = await newLab();
    expect(await pumice(other, "import", dir)).toMatchObject({ code: 0 });
    for (const key of [multinodeBlob(job_ids[0]), deviceBlob(1, 1)]) {
      const [then, now] = await Promise.all([lab, other].map(({ deps }) => deps.blobs.get(key)));
      expect([key, now]).toEqual([key, then]);
      expect(now?.length).toBeGreaterThan(10);
    }
  });

  test("is for administrators, into a folder of its own", async () => {
    const { code, said } = await cli(["export", dir, "--all"], {
      PUMICE_URL: lab.url,
      PUMICE_TOKEN: moving.alice,
    });
    expect([code, said]).toEqual([2, expect.stringContaining("only an administrator")]);
    expect(existsSync(dir)).toBe(false);
    writeFileSync(path.join(base, "own"), "");
    expect((await pumice(lab, "export", base, "--all")).said).toContain("is not empty");
    expect((await pumice(lab, "export", dir, "--close")).said).toContain("--close goes with --all");
  });
});

describe("import", () => {
  test("that is cut after any request is completed by the same command", async () => {
    const before = await answersOf(lab);
    await pumice(lab, "export", dir, "--all");
    let cut = 0;
    for (let isWhole = false; !isWhole; cut++) {
      const other = await newLab();
      const front = await frontOf(other);
      front.left = cut;
      isWhole = (await pumice(front, "import", dir)).code === 0;
      // Until the end nothing of it moves.
      if (!isWhole && cut > 0) {
        expect((await other.request("/jobs", { body: "job" })).status).toBe(503);
      }
      front.left = Infinity;
      const again = await pumice(front, "import", dir);
      expect([again.code, await answersOf(other)]).toEqual([0, before]);
    }
    expect(cut).toBeGreaterThan(10);
  });

  test("refuses what is not as it was written, before anything is sent", async () => {
    await pumice(lab, "export", dir, "--all");
    const other = await newLab();
    const front = await frontOf(other);
    const files = readdirSync(dir, { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile() && file.name !== "backup.json")
      .map((file) => path.join(file.parentPath, file.name));
    expect(files.length).toBe(15);
    for (const file of files) {
      const whole = readFileSync(file);
      const flipped = Buffer.from(whole);
      flipped[flipped.length - 1]! ^= 1;
      for (const [content, words] of [
        [flipped, "is damaged"],
        [whole.subarray(1), "is damaged"],
        [undefined, "is missing"],
      ] as const) {
        if (content) writeFileSync(file, content);
        else rmSync(file);
        for (const options of [[], ["--check"]]) {
          const { code, said } = await pumice(front, "import", dir, ...options);
          expect([code, said]).toEqual([2, expect.stringContaining(`${file} ${words}`)]);
        }
      }
      writeFileSync(file, whole);
    }
    expect(front.heard).toEqual([]);
    expect((await pumice(front, "import", dir)).code).toBe(0);
  });

  test.each([
    ["no folder", undefined, "has no backup"],
    ["what is no JSON", "{", "backup.json: "],
    ["a newer format", '{"format": 2}', "format 2 is that of a newer Pumice"],
    ["another shape", '{"format": 1, "id": "../.."}', "backup.json: id: "],
  ])("refuses %s", async (_, text, words) => {
    await pumice(lab, "export", dir, "--all");
    if (text === undefined) dir = path.join(base, "none");
    else writeFileSync(path.join(dir, "backup.json"), text);
    const { code, said } = await pumice(lab, "import", dir);
    expect([code, said]).toEqual([2, expect.stringContaining(words)]);
  });

  test("leads out of its folder by no name", async () => {
    await pumice(lab, "export", dir, "--all");
    const changed = manifest();
    changed.files[0].name = "../../items-00001.jsonl.gz";
    writeFileSync(path.join(dir, "backup.json"), JSON.stringify(changed));
    expect((await pumice(lab, "import", dir)).said).toContain("files.0.name");
  });
});

describe("a lab that was closed for a move", () => {
  beforeEach(async () => {
    const { said } = await pumice(lab, "export", dir, "--all", "--close");
    if (!said.includes("pumice reopen")) throw new Error(said);
  });

  test("can be read, and takes nothing new of people, workers and jobs", async () => {
    expect((await lab.request("/jobs/1/log")).status).toBe(200);
    for (const [where, token, body] of [
      ["/jobs", lab.adminToken, "job"],
      ["/worker/sync", moving.worker, {}],
      ["/jobs/3/finish", moving.job, { result: "pass", lines: 2 }],
    ] as const) {
      const answer = await lab.request(where, { token, body });
      expect(answer.status).toBe(503);
      expect(await answer.json()).toMatchObject({
        code: "unavailable",
        message: expect.stringContaining("admin moves it to another place"),
      });
    }
    expect((await lab.request("/jobs", { token: "none", body: "job" })).status).toBe(401);
  });

  test("goes on when it is opened again, and no job is taken back for the time between", async () => {
    const { tick } = await import("../../control-plane/domain/tick.ts");
    lab.pass(2 * 60 * 60);
    await tick(lab.deps);
    expect((await pumice(lab, "reopen")).said).toBe("The lab is open\n");
    await tick(lab.deps);
    expect(await lab.job(3)).toMatchObject({ state: "Running" });
    await lab.sync(moving.worker, [{ job_id: 3, state: "running" }]);
    await lab.ship(3, moving.job, 2, [{ lvl: "info", msg: "more" }]);
    expect((await lab.finish(3, moving.job, { result: "pass", lines: 3 })).status).toBe(200);
  });

  test("a backup of it that goes on after it was opened is refused: it would not be exact", async () => {
    const front = await frontOf(lab);
    dir = path.join(base, "second");
    front.left = 8;
    await pumice(front, "export", dir, "--all", "--close");
    front.left = Infinity;
    await pumice(lab, "reopen");
    expect((await pumice(front, "export", dir, "--all")).said).toContain("was opened again");
  });
});
