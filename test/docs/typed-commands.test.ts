import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { tick } from "../../control-plane/domain/tick.ts";
import { addRelease, aRelease, aSigner } from "../support/a-release.ts";
import { runningJob } from "../support/browser-session.ts";
import { aJob } from "../support/builders.ts";
import { startCli } from "../support/cli-run.ts";
import { listeningLab } from "../support/listening-lab.ts";
import { sampleLog } from "../support/sample-log.ts";
import { blocksOf, pages } from "./blocks.ts";

/** The commands of the pages, typed one after the other into a lab that has what they name. */

/** What is not typed here, and where it is. */
const ELSEWHERE: readonly [RegExp, string][] = [
  [/^serve\b/, "first-job.e2e and serve.test start labs"],
  [/^sign-in\b/, "asks a browser: sign-in-command.test"],
  [/^import lava\b/, "asks a real LAVA: test/cli/import-lava and test/compat"],
  [/^console\b/, "is a terminal of its own: console-window.test and remote-console.bed"],
  [
    /--watch\b|^watch\b|--follow\b|^logs .*-f\b|--wait\b/,
    "goes on until something happens: watch.test",
  ],
  [/^releases add\b/, "needs the built files: self-upgrade.e2e"],
  [/^users (un)?link\b/, "needs a provider that people sign in with: sign-in-command.test"],
  [/^jobs fail\b/, "of a job that does not end when it is canceled: scheduling-commands.test"],
  [/^import backup|^import "?backup.*--url/, "into another lab: backup.test"],
  [/^export --all\b|^import --check\b/, "backup.test"],
  [/hooks\.slack\.com\/services\/\.\.\./, "the dots stand for a secret"],
  [/\bID\b|3d5ccb0cef4d|12-1-finished/, "a name that the command before it prints"],
];

/** Typed as a whole by a test of its own, or made from what commands say of themselves. */
const NOT_HERE = ["docs/first-job.md", "docs/cli.md"];

interface Typed {
  where: string;
  words: string[];
  /** A file that is its standard input. */
  input?: string | undefined;
}

/** Commands of `pumice` in the blocks of a page, as a shell would divide them. */
function* commandsOf(page: string): Generator<Typed> {
  for (const { where, text } of blocksOf(page)) {
    for (const line of text.replaceAll("\\\n", " ").split("\n")) {
      const [, rest] = /^(?:scripts\/)?pumice ([a-z].*)$/.exec(line.trim()) ?? [];
      for (const command of (rest ?? "").split(/; (?:scripts\/)?pumice /)) {
        const words = wordsOf(command);
        const [, input] = / < (\S+)$/.exec(command.replace(/ #.*$/, "").trimEnd()) ?? [];
        if (words.length > 0) yield { where, words, input };
      }
    }
  }
}

/** Up to a comment, a pipe or a file that it is written to. */
function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (const [, one, two, three] of line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)) {
    if (three !== undefined && /^(#|\||<|>|&&|;)/.test(three)) break;
    if (three?.includes("*")) words.push(...globSync(three).toSorted());
    else words.push(one ?? two ?? three ?? "");
  }
  return words;
}

let lab: Awaited<ReturnType<typeof listeningLab>>;
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

const adds = (typed: readonly Typed[], what: RegExp): Set<string> =>
  new Set(typed.flatMap(({ words }) => what.exec(words.join(" "))?.[1] ?? []));

const OLD = { version: "0.0.9", platform: "linux-x64" } as const;
const DEVICES = {
  ...{ "board-1": "qemu", "board-01": "qemu", "qemu-03": "qemu", "virt-01": "qemu" },
  ...{ "imx8-03": "imx8mn-evk", "bbb-01": "beaglebone-black", "bbb-07": "beaglebone-black" },
};

/** Workers, devices, people and jobs that the page takes for granted: what it does not add itself. */
async function makeLab(typed: readonly Typed[]): Promise<void> {
  const own = (what: RegExp) => {
    const names = adds(typed, what);
    return (name: string) => !names.has(name);
  };
  const workers = ["bench", "bench-1", "shelf", "rack-7"];
  const tokens = new Map<string, string>();
  for (const name of workers.filter(own(/^workers (?:add|enrol) (\S+)/)))
    tokens.set(name, await lab.addWorker(name));
  const [[worker, token] = ["", ""]] = tokens;
  for (const name of Object.keys(DEVICES).filter(own(/^devices add (\S+)/))) {
    await writeVersions(name, worker);
    await lab.api(`/devices/${name}/health`, { body: { health: "Good" } });
  }
  for (const name of ["ann", "alice", "ada", "bob"].filter(own(/^users add (\S+)/)))
    await lab.addUser(name);
  for (const name of ["kernel"].filter(own(/^groups add (\S+)/)))
    await lab.api(`/groups/${name}`, { method: "PUT", body: { members: [] } });
  for (const one of tokens.values()) await lab.sync(one, [], OLD);
  // A job that runs keeps its device from being removed.
  const isPruned = typed.some(({ words }) => words.includes("--prune"));
  const device = ["qemu-03", "board-1"].find(own(/^devices add (\S+)/));
  if (!isPruned && device !== undefined) await makeJobs(token, device);
  makeFiles();
}

async function writeVersions(name: string, worker: string): Promise<void> {
  const device_type = DEVICES[name as keyof typeof DEVICES];
  const tags = name === "virt-01" ? ["kvm"] : [];
  for (const comment of ["one", "two", "three"]) {
    const dictionary = `{% extends '${device_type}.jinja2' %}\n{# ${comment} #}\n`;
    const device = { device_type, worker, tags, dictionary, configuration: undefined };
    await lab.addDevice(name, device);
  }
}

/** Thirteen, of which the first have ended with results, the next one runs and the last wait. */
async function makeJobs(token: string, device: string): Promise<void> {
  const lines = [`device: ${device}`];
  for (let n = 1; n <= 2; n++) {
    const job = await runningJob(lab, token, { lines });
    const records = sampleLog("2026-03-01T12:00:00Z");
    await lab.ship(job.id, job.token, 0, records);
    await lab.finish(job.id, job.token, { result: "pass", lines: records.length });
    await lab.sync(token, [], OLD);
  }
  for (let n = 3; n <= 13; n++) await lab.submit(aJob({ lines }));
}

function makeFiles(): void {
  const docs = path.join(from, "docs");
  mkdirSync("docs");
  cpSync(path.join(docs, "examples"), "docs/examples", { recursive: true });
  cpSync(path.join(docs, "examples/lab"), "lab", { recursive: true });
  cpSync(path.join(docs, "examples/qemu/virt-01.jinja2"), "virt-01.jinja2");
  cpSync(path.join(docs, "examples/uboot/board-01.jinja2"), "board-01.jinja2");
  cpSync(path.join(docs, "examples/fastboot/phone-01.jinja2"), "phone-01.jinja2");
  writeFileSync("job.yaml", aJob());
  const bbb = "{% extends 'beaglebone-black.jinja2' %}\n";
  for (const name of ["bbb-01.jinja2", "board-1.jinja2", "lab/devices/bbb-01.jinja2"])
    writeFileSync(name, bbb);
  mkdirSync("jobs");
  writeFileSync("jobs/bbb-boot.yaml", jobOf("uboot", "beaglebone-black"));
  writeFileSync("password.txt", "a few words\n");
  writeFileSync("token.txt", "glpat-0123456789\n");
  writeFileSync("cabling.md", "The red cable is UART1.\n");
  writeFileSync("cabling.jpg", Buffer.from("ffd8ffe000104a46494600010100000100010000ffd9", "hex"));
}

/** The job of a walk-through, for this device type. */
const jobOf = (example: string, deviceType: string): string =>
  readFileSync(path.join(from, "docs/examples", example, "job.yaml"), "utf8").replace(
    /^device_type: .*$/m,
    `device_type: ${deviceType}`,
  );

/** Names that pages make up: of jobs that have ended, and one that waits. The lab of the examples has an alice already. */
const asHere = (word: string, line: string, page: string): string => {
  if (page === "docs/running-a-lab.md" && line === "users add alice")
    return word === "alice" ? "carol" : word;
  if (line.startsWith("jobs priority")) return word === "4711" ? "13" : word;
  return { "4711": "1", "4712": "2", "42": "12" }[word] ?? word;
};

/** What must be so for a command of a list that is no sequence. */
async function before(page: string, line: string): Promise<void> {
  const [, dictionary = ""] = /--device (\S+)/.exec(line) ?? [];
  if (dictionary === "bbb-01.jinja2") writeFileSync("job.yaml", jobOf("uboot", "beaglebone-black"));
  if (dictionary === "board-01.jinja2") writeFileSync("job.yaml", jobOf("uboot", "my-arm64-board"));
  if (dictionary === "phone-01.jinja2")
    writeFileSync("job.yaml", jobOf("fastboot", "my-fastboot-board"));
  if (line.startsWith("export ")) rmSync("lab", { recursive: true });
  if (line.startsWith("devices check bbb-01")) {
    const body = jobOf("uboot", "beaglebone-black");
    await lab.request("/health-checks/beaglebone-black", { method: "PUT", body });
  }
  if (line.startsWith("devices release")) {
    // Its worker is gone for good.
    lab.pass(3600);
    await tick(lab.deps);
  }
  if (line.startsWith("devices put-back bbb-01")) await writeVersions("bbb-01", "bench-1");
  if (page !== "docs/install.md") return;
  if (/^workers (enrol|remove)/.test(line))
    await lab.request("/devices/board-1", { method: "DELETE" });
  if (line.startsWith("workers enrol")) await lab.request("/workers/bench-1", { method: "DELETE" });
}

const withCommands = [...pages(), "README.md"]
  .filter((page) => !NOT_HERE.includes(page))
  .map((page) => [page, [...commandsOf(page)]] as const)
  .filter(([, typed]) => typed.length > 0);

test.each(withCommands)("%s: its commands do what they say", async (page, typed) => {
  await makeLab(typed);
  const signer = aSigner();
  await addRelease(lab, signer, aRelease(signer, "0.2.0"));
  const env = { PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken };
  const wrong: string[] = [];
  for (const { where, words: written, input: file } of [...commandsOf(page)]) {
    const line = written.join(" ");
    if (ELSEWHERE.some(([one]) => one.test(line))) continue;
    await before(page, line);
    const input = file === undefined ? "a few words more\n" : readFileSync(file, "utf8");
    const words = written.map((word) => asHere(word, line, page));
    const run = startCli(words, env, { input, answer: () => "yes" });
    const code = await run.ended;
    await lab.settled();
    if (code !== 0) wrong.push(`${where}: pumice ${line}: ${code}: ${run.said.trim()}`);
  }
  expect(wrong).toEqual([]);
});

test("what is typed elsewhere is still in the pages", () => {
  const lines = withCommands.flatMap(([, typed]) => typed.map(({ words }) => words.join(" ")));
  const unused = ELSEWHERE.filter(([one]) => !lines.some((line) => one.test(line)));
  expect(unused).toEqual([]);
});
