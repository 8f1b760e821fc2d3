import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { tick } from "../../control-plane/domain/tick.ts";
import { startCli } from "../support/cli-run.ts";
import { listeningLab } from "../support/listening-lab.ts";
import { isCommandBlock } from "./block-rules.ts";
import { blocksOf, pages } from "./blocks.ts";
import { isHarmless, NOT_TYPED, notTyped } from "./not-typed.ts";
import {
  jobOf,
  makeFiles,
  makeLab,
  makeNotice,
  takeAccounts,
  writeVersions,
  type PageLab,
} from "./page-lab.ts";
import { linesOf, runLines, type Call, type Ended, type Line } from "./page-shell.ts";
import { runWorker } from "./worker-call.ts";

/** The commands of the pages, typed one after the other by a real shell into a lab that has what they name. */

/** Typed as a whole by a test of its own, or made from what commands say of themselves. */
const NOT_HERE = new Map([
  ["docs/first-job.md", "test/e2e/first-job.e2e.test.ts"],
  ["docs/cli.md", "test/docs/cli-page.test.ts"],
]);

const root = path.resolve(import.meta.dirname, "../..");

let lab: PageLab;
let folder: string;
const from = process.cwd();
beforeEach(async () => {
  lab = await listeningLab();
  folder = mkdtempSync(path.join(tmpdir(), "pumice-typed-"));
  process.chdir(folder);
});
afterEach(async () => {
  process.chdir(from);
  rmSync(folder, { recursive: true });
  await lab.close();
});

/** Names that pages make up: of jobs that have ended, and one that waits. The lab of the examples has an alice already. */
const asHere = (word: string, line: string, page: string): string => {
  if (page === "docs/running-a-lab.md" && line === "users add alice")
    return word === "alice" ? "carol" : word;
  if (line.startsWith("jobs priority")) return word === "4711" ? "13" : word;
  if (line.startsWith("releases keygen")) rmSync("release.key.pub", { force: true });
  if (line.startsWith("jobs fail")) return word === "4711" ? "3" : word;
  if (line.startsWith("notices")) return word.replace(/^12\b/, "14");
  return { "4711": "1", "4712": "2", "42": "12" }[word] ?? word;
};

/** What must be so for a command of a list that is no sequence. */
async function before(page: string, line: string): Promise<void> {
  const [, dictionary = ""] = /--device (\S+)/.exec(line) ?? [];
  if (dictionary === "bbb-01.jinja2") writeFileSync("job.yaml", jobOf("uboot", "beaglebone-black"));
  if (/^board(-01)?\.jinja2$/.test(dictionary))
    writeFileSync("job.yaml", jobOf("uboot", "my-arm64-board"));
  if (dictionary === "phone-01.jinja2")
    writeFileSync("job.yaml", jobOf("fastboot", "my-fastboot-board"));
  if (/^export [^-]/.test(line)) rmSync("lab", { recursive: true });
  if (line.startsWith("devices check bbb-01")) {
    const body = jobOf("uboot", "beaglebone-black");
    await lab.request("/health-checks/beaglebone-black", { method: "PUT", body });
  }
  if (line.startsWith("devices release")) {
    // Its worker is gone for good.
    lab.pass(3600);
    await tick(lab.deps);
  }
  if (line.startsWith("consoles board-01"))
    await lab.request("/consoles", { method: "POST", body: { device: "board-01" } });
  if (line.startsWith("notices list --job 12")) await makeNotice(lab);
  if (line.startsWith("users link")) await takeAccounts(lab, "gitlab");
  if (line.startsWith("devices put-back bbb-01")) await writeVersions(lab, "bbb-01", "bench-1");
  if (line.startsWith("jobs fail")) await lab.request("/jobs/3/cancel", { method: "POST" });
  if (page !== "docs/install.md") return;
  if (/^workers (enrol|remove)/.test(line))
    await lab.request("/devices/board-1", { method: "DELETE" });
  if (line.startsWith("workers enrol")) await lab.request("/workers/bench-1", { method: "DELETE" });
}

/** What goes on until something happens: it has begun when it says anything, and ends by Ctrl-C. */
const GOES_ON = /--watch\b|^watch\b|^logs .*-f\b|--wait\b/;

/** What a page calls that which the lab makes up: it is what the command before it said, or listed. */
const AN_ID = /^(ID|3d5ccb0cef4d|0123456789abcdef)$/;
let lastId = "";

async function answerTo(page: string, call: Call): Promise<Ended> {
  const line = call.words.join(" ");
  await before(page, line);
  if (call.program === "pumice-worker") return runWorker(call);
  const input = call.input === "" ? "a few words more\n" : call.input;
  const words = call.words.map((word) => (AN_ID.test(word) ? lastId : asHere(word, line, page)));
  const run = startCli(words, call.env, { input, answer: () => "yes" });
  const goesOn = GOES_ON.test(line);
  if (goesOn) {
    await run.shows("\n");
    run.interrupt();
  }
  const code = await run.ended;
  await lab.settled();
  const named = /^(consoles|users accounts) /.test(line) ? run.out : run.said;
  lastId = /\b[0-9a-f]{12,16}\b/.exec(named)?.[0] ?? lastId;
  const ended = { out: run.out, said: run.said };
  return { ...ended, code: goesOn ? 0 : code };
}

/** Addresses and folders of pages, as they are here. */
const textHere = (text: string): string =>
  text
    .replaceAll(
      /https?:\/\/(lab(\.example(\.org)?|\.local)?|127\.0\.0\.1|\.\.\.)(:84\d\d)?(?=[\s/"']|$)/gm,
      lab.url,
    )
    // A stream has no end: as long as that it must go on without a fault.
    .replaceAll(/^(curl -N .*)$/gm, "$1 --max-time 2 || [ $? -eq 28 ]")
    .replaceAll("PUMICE_TOKEN=...", `PUMICE_TOKEN=${lab.adminToken}`)
    .replaceAll("/var/lib/pumice", `${folder}/var/lib/pumice`)
    .replaceAll(/\/etc\/pumice-worker|\/path\/to/g, folder);

const linesOfPage = (page: string): Line[] =>
  blocksOf(page)
    .filter(isCommandBlock)
    .flatMap(({ where, text }) => linesOf(where, text));

const withCommands = [...pages(), "README.md"]
  .filter((page) => !NOT_HERE.has(page))
  .map((page) => [page, linesOfPage(page)] as const)
  .filter(([, lines]) => lines.length > 0);

test.each(withCommands)("%s: its commands do what they say", async (page, all) => {
  const lines = all.filter(({ text }) => notTyped(text) === undefined);
  expect(lines.filter(({ text }) => !isHarmless(text))).toEqual([]);
  const signer = await makeLab(lab, lines.map(({ text }) => text).join("\n"));
  makeFiles(folder, lab.adminToken, signer);
  const env = { PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken, TOKEN: lab.adminToken };
  const here = lines.map(({ where, text }) => ({ where, text: textHere(text) }));
  const programs = ["pumice", "pumice-worker"];
  const wrong = await runLines(here, folder, env, programs, (call) => answerTo(page, call));
  expect(wrong).toEqual([]);
});

test.each(NOT_TYPED)("$line is in the pages, and elsewhere as it says", ({ line, by, because }) => {
  const lines = withCommands.flatMap(([, all]) => all);
  expect(lines.filter(({ text }) => line.test(text))).not.toEqual([]);
  if (!by) return expect(because).toBeTruthy();
  expect(readFileSync(path.join(root, by[0]), "utf8")).toContain(by[1]);
});

test.each([...NOT_HERE])("%s has a test of its own, %s", (page, file) => {
  expect(readFileSync(path.join(root, file), "utf8")).toContain(path.basename(page));
});
