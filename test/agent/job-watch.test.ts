import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { watchJob, type JobWatch } from "../../worker/agent/job-watch.ts";
import { jobDirectoryAt, type JobDirectory } from "../../worker/host/job-directory.ts";
import { touchBeat } from "../../worker/host/runner-beat.ts";

let dir: JobDirectory;
let job: JobWatch | undefined;
let heard: ("told" | "grown")[];
let next: () => void;

beforeEach(() => {
  dir = jobDirectoryAt(mkdtempSync(path.join(tmpdir(), "pumice-watch-")));
  writeFileSync(dir.log, "");
  heard = [];
  next = () => {};
});
afterEach(() => {
  job?.close();
  rmSync(dir.root, { recursive: true, force: true });
});

function watched(isOwnRunner: boolean): JobWatch {
  const hear = (what: "told" | "grown") => () => {
    heard.push(what);
    next();
  };
  return (job = watchJob(dir, isOwnRunner, { told: hear("told"), grown: hear("grown") }));
}

async function hears(what: "told" | "grown"): Promise<void> {
  while (!heard.includes(what)) await new Promise<void>((resolve) => (next = resolve));
}

test("a log that nobody follows wakes nobody; its runner's beat does", async () => {
  watched(true);
  appendFileSync(dir.log, "a line\n");
  touchBeat(dir.beat);
  await hears("told");
  expect(heard).not.toContain("grown");
});

test("a log that is followed tells of each change, until it is followed no more", async () => {
  const one = watched(true);
  one.follow(true);
  appendFileSync(dir.log, "a line\n");
  await hears("grown");
  one.follow(false);
  heard = [];
  appendFileSync(dir.log, "a line\n");
  touchBeat(dir.beat);
  await hears("told");
  expect(heard).not.toContain("grown");
});

test("of a runner that an agent before has started the folder is listened to: it may know of no beat", async () => {
  watched(false);
  appendFileSync(dir.log, "a line\n");
  await hears("grown");
  writeFileSync(dir.result, "{}");
  await hears("told");
});
