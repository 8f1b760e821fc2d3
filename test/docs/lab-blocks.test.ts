import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { DryRun } from "#protocol/dry-run.ts";
import { SETTINGS_NAMES } from "#protocol/lab-settings.ts";
import type { NoticedJob } from "../../control-plane/domain/notices/notice-record.ts";
import { payloadOf } from "../../control-plane/domain/notices/payload.ts";
import { aJob } from "../support/builders.ts";
import { cli } from "../support/cli-run.ts";
import { runningJob } from "../support/browser-session.ts";
import { listeningLab } from "../support/listening-lab.ts";
import { methodPage, methodPages } from "../support/method-page.ts";
import { sampleLog } from "../support/sample-log.ts";
import { blocksOf, pages, type Block } from "./blocks.ts";
import { SHOWN_BLOCKS } from "./shown-blocks.ts";

/** Blocks that are no commands, given to a lab as their pages say. */

const root = path.resolve(import.meta.dirname, "../..");
let lab: Awaited<ReturnType<typeof listeningLab>>;
let folder: string;
beforeEach(async () => {
  lab = await listeningLab();
  folder = mkdtempSync(path.join(tmpdir(), "pumice-blocks-"));
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  await lab.close();
});
const pumice = (...words: string[]) =>
  cli(words, { PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken }, () => "yes");

const yamlBlocks = pages().flatMap((page) =>
  blocksOf(page).filter(({ language }) => language === "yaml"),
);
const valueOf = ({ text }: Block): Record<string, unknown> =>
  (parse(text, { logLevel: "silent" }) ?? {}) as Record<string, unknown>;

const settings = yamlBlocks.filter((block) => {
  const keys = Object.keys(valueOf(block));
  return keys.length > 0 && keys.every((key) => SETTINGS_NAMES.includes(key as never));
});

test.each(settings)("$where: the lab takes its settings, one by one", async (block) => {
  for (const [name, value] of Object.entries(valueOf(block))) {
    const { code, said } = await pumice("settings", "set", name, JSON.stringify(value));
    expect(code, said).toBe(0);
  }
});

const inLab: readonly [page: string, key: string, file: string][] = [
  ["docs/queue.md", "cables", "windows.yaml"],
  ["docs/workers-and-devices.md", "overrides", "workers/bench/env.yaml"],
  ["docs/results.md", "retention", "settings.yaml"],
];
test.each(inLab)("the block of %s with %s is a lab's file, %s", async (page, key, file) => {
  const [block] = blocksOf(page).filter((one) => one.language === "yaml" && key in valueOf(one));
  writeFileSync(path.join(folder, "workers.yaml"), "bench: {}\n");
  writeFileSync(path.join(folder, "devices.yaml"), "board-1: {device_type: qemu, worker: bench}\n");
  mkdirSync(path.join(folder, "devices"));
  writeFileSync(path.join(folder, "devices/board-1.jinja2"), "{% extends 'qemu.jinja2' %}\n");
  mkdirSync(path.join(folder, "workers/bench"), { recursive: true });
  writeFileSync(path.join(folder, file), block!.text);
  const applied = await pumice("apply", "-f", folder, "--yes");
  expect(applied.code, applied.said).toBe(0);
  const back = path.join(folder, "back");
  const written = await pumice("export", back);
  expect(written.code, written.said).toBe(0);
  expect(parse(readFileSync(path.join(back, file), "utf8"))).toMatchObject(valueOf(block!));
});

test.each(methodPages())(
  "the job of docs/methods/%s.md would be accepted, for the device of its dictionary, with a plan",
  async (name) => {
    await lab.sync(await lab.addWorker("bench"));
    const { job, dictionary } = methodPage(name);
    const { device_type = "qemu" } = parse(job) as { device_type?: string };
    const device = { device_type, worker: "bench", dictionary, configuration: undefined };
    await lab.addDevice(name, device);
    await lab.api(`/devices/${name}/health`, { body: { health: "Good" } });
    const said = await lab.api<DryRun>("/jobs/dry-run", { body: job });
    expect(said.problems).toEqual([]);
    expect(said.accepted).toBe(true);
    const { devices, plan } = said.jobs[0]!;
    expect(devices).toContainEqual(expect.objectContaining({ hostname: name, fit: "free" }));
    expect(plan?.problem).toBeUndefined();
    expect(plan?.steps).toBeDefined();
  },
);

describe("what a page shows of an answer", () => {
  const shownIn = (page: string, language: string, has: string): string =>
    blocksOf(page).find((one) => one.language === language && one.text.includes(has))?.text ?? "";

  test("the manifest of a log has these keys", async () => {
    const token = await lab.addWorker("bench");
    await lab.addDevice("board-1");
    const job = await runningJob(lab, token);
    await lab.ship(job.id, job.token, 0, sampleLog("2026-03-01T12:00:00Z"));
    const shown = JSON.parse(shownIn("docs/http-api.md", "json", "chunks")) as Answer;
    const real = await lab.api<Answer>(`/jobs/${job.id}/log-chunks?start=0`);
    expect(Object.keys(real).toSorted()).toEqual(Object.keys(shown).toSorted());
    expect(Object.keys(real.chunks[0]!).toSorted()).toEqual(
      Object.keys(shown.chunks[0]!).toSorted(),
    );
  });

  test("the complaints about a job are these, word by word", async () => {
    const shown = shownIn("docs/job-language.md", "text", "job.yaml:12:7").trim().split("\n");
    const right = WRONG_JOB.replace("minuets", "minutes");
    const files = { "job.yaml": WRONG_JOB, "other.yaml": right };
    let told = "";
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(path.join(folder, name), text);
      const { out, said } = await pumice("check", path.join(folder, name));
      told += (out + said).replaceAll(`${folder}/`, "");
    }
    for (const line of shown) expect(told).toContain(line);
  });
});

/** Runs Python of a page in the folder, below lines that give it what the page takes for granted. */
async function python(text: string): Promise<{ code: number | null; said: string }> {
  const child = spawn("python3", ["-"], { cwd: folder, stdio: ["pipe", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (data: Buffer) => (said += data.toString()));
  child.stdin.end(text);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, said };
}

const pythonOf = (page: string): string =>
  blocksOf(page).find(({ language }) => language === "python")!.text;

test("Python submits a job as the page on clients says", async () => {
  await lab.addWorker("bench");
  await lab.addDevice("board-1");
  writeFileSync(path.join(folder, "job.yaml"), aJob());
  const { token } = await lab.addUser("ann");
  const text = pythonOf("docs/lava-clients.md")
    .replace("https://", "http://")
    .replace("TOKEN@lab.example.org", `${token}@${new URL(lab.url).host}`);
  const { code, said } = await python(text);
  expect(code, said).toBe(0);
  expect((await lab.job(1)).submitter).toBe("ann");
});

test("Python checks a webhook's signature as the page on notices says, and refuses another", async () => {
  const seconds = Math.floor(Date.now() / 1000);
  const [secret, body] = ["s3cr3t", '{"event": "job.finished"}'];
  const hex = lab.deps.system.hmac(secret, `${seconds}.${body}`);
  const withSecret = (one: string) => `import hashlib, hmac, time
headers = {"X-Pumice-Signature": "t=${seconds},v1=${hex}"}
secret, body = "${one}", b'${body}'
${pythonOf("docs/notices.md")}`;
  expect(await python(withSecret(secret))).toMatchObject({ code: 0 });
  expect((await python(withSecret("another"))).said).toContain("AssertionError");
});

test("a callback has these fields, in this order", () => {
  const shown = blocksOf("docs/notices.md").find(({ text }) => text.startsWith("id status "));
  const job = { id: 1, state: "Finished", health: "Complete" } as NoticedJob;
  const parts = { definition: "", metadata: {}, submitterEmail: "", healthCheck: false };
  const payload = payloadOf(job, { ...parts, token: "t", log: "", results: {} });
  expect(Object.keys(payload)).toEqual(shown!.text.trim().split(/\s+/));
});

const shownBlocks = pages()
  .filter((page) => page !== "docs/cli.md")
  .flatMap((page) => blocksOf(page))
  .filter(({ language }) => /^(text|ini|json|python)$/.test(language));

test("each block that is only shown is of one row that says who looks at it", () => {
  const rowsOf = (block: Block) =>
    SHOWN_BLOCKS.filter(({ page, has }) => page === block.page && block.text.includes(has));
  const wrong = shownBlocks.filter((block) => rowsOf(block).length !== 1);
  expect(wrong.map(({ where }) => where)).toEqual([]);
});

test.each(SHOWN_BLOCKS)("what $page shows of $has", ({ page, has, by, because }) => {
  const found = shownBlocks.filter((block) => block.page === page && block.text.includes(has));
  expect(found).toHaveLength(1);
  if (!by) return expect(because).toBeTruthy();
  expect(readFileSync(path.join(root, by[0]), "utf8")).toContain(by[1]);
});

interface Answer {
  chunks: object[];
}

/** A job with the mistakes of the page on the job language, where it has them. */
const WRONG_JOB = `# A job
#
#
job_name: wrong in two places
device_type: qemu
visibility: public
context: {arch: x86_64}
timeouts:
  connection: {minutes: 2}
  action: {minutes: 5}
  job:
      minuets: 10
actions:
- deploy:
    to: tmpfs
    images:
      kernel:
        url: http://files.example.com/vmlinuz
        image_arg: -kernel {kernel}
      initramfs:
        url: http://files.example.com/initramfs.cpio.gz
        image_arg: -initrd {initramfs}
#
#
#
- boot:
    method: qemu
    media: tmpfs
    prompts: ['# ']
    transfer_overlay: {download_command: wget}
`;

const examples: readonly [example: string, test: string, has: string][] = [
  ["qemu-smoke.yaml", "test/e2e/worker-run.e2e.test.ts", "qemu-smoke.yaml"],
  ["qemu-disk.yaml", "test/e2e/lab.e2e.test.ts", "qemu-disk.yaml"],
  ["qemu-multinode.yaml", "test/beds/multinode.bed.test.ts", "qemu-multinode.yaml"],
  ["ssh-guests.yaml", "test/beds/multinode-ssh.bed.test.ts", "ssh-guests.yaml"],
  ["uboot/job.yaml", "test/beds/docs-examples.bed.test.ts", "uboot/job.yaml"],
  ["fastboot/job.yaml", "test/beds/docs-examples.bed.test.ts", "fastboot/job.yaml"],
];
test.each(examples)("docs/examples/%s is run to Complete by %s", (name, file, has) => {
  const text = readFileSync(path.join(root, "docs/examples", name), "utf8");
  expect(parse(text)).toHaveProperty("actions");
  const source = readFileSync(path.join(root, file), "utf8");
  expect(source).toContain(has);
  expect(source).toMatch(/"pass"|Complete|\(status, .*toBe\(0\)/);
});
