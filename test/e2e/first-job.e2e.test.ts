import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { blocksOf } from "../docs/blocks.ts";

/** What docs/first-job.md has its reader type, typed: the first block starts the lab, the others are typed beside it. */
const root = path.resolve(import.meta.dirname, "../..");
const [start, ...others] = blocksOf("docs/first-job.md").filter(
  ({ language }) => language === "sh",
);

let data: string;
let lab: ReturnType<typeof spawn>;
let url: string;

beforeAll(async () => {
  data = mkdtempSync(path.join(tmpdir(), "pumice-first-job-"));
  const [script = ""] = start?.text.split("\n") ?? [];
  lab = spawn(path.join(root, script), ["--listen", "127.0.0.1:0", "--data", data], {
    cwd: root,
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
  });
  let said = "";
  await new Promise<void>((resolve, reject) => {
    lab.stderr?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes("The lab keeps running")) resolve();
    });
    lab.once("exit", () => reject(new Error(said)));
  });
  url = /^Control plane: (http:\S+)/m.exec(said)?.[1] ?? "";
});
afterAll(async () => {
  if (lab.pid !== undefined && lab.exitCode === null) {
    const ended = once(lab, "exit");
    process.kill(-lab.pid, "SIGTERM");
    await ended;
  }
  rmSync(data, { recursive: true, force: true });
});

test("the commands of the page do what it says", () => {
  const text = others
    .map((block) => block.text)
    .join("\n")
    .replaceAll("http://127.0.0.1:8400", url)
    .replaceAll("$PWD/.lab", data)
    .replaceAll(".lab/", `${data}/`);
  const { status, stdout, stderr } = spawnSync("sh", ["-e"], {
    input: text,
    cwd: root,
    encoding: "utf8",
  });
  expect(status, stdout + stderr).toBe(0);
  expect(stdout).toMatch(/\bcpu\b.*\bpass\b|\bpass\b.*\bcpu\b/);
  expect(stdout).toContain("my first job");
  expect(readFileSync(path.join(data, "results.xml"), "utf8")).toContain('name="cpu"');
});
