import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { startFileShelf, type FileShelf } from "../beds/file-shelf.ts";

const textOf = (name: string): string =>
  readFileSync(new URL(`../../infra/workers/${name}`, import.meta.url), "utf8");

interface CloudInit {
  write_files: { path: string; permissions: string; content: string }[];
  runcmd: string[][];
}

describe("cloud-init", () => {
  const text = textOf("cloud-init.yaml");
  const { write_files, runcmd } = parse(text) as CloudInit;
  const [script] = write_files;
  let dir: string;
  let shelf: FileShelf;
  // Stands for the single file: it says how it was called, and "installs" itself where the script looks for it.
  const program = `#!/bin/sh\necho "$*" >> "$CALLS"\n[ "$1" != install ] || cp "$0" "$BIN/pumice-worker"\n`;
  beforeAll(async () => {
    dir = mkdtempSync(path.join(tmpdir(), "cloud-init-"));
    mkdirSync(path.join(dir, "bin"));
    writeFileSync(path.join(dir, "worker"), program);
    shelf = await startFileShelf({ "pumice-worker-linux-arm64": path.join(dir, "worker") });
  });
  afterAll(async () => {
    await shelf.close();
    rmSync(dir, { recursive: true });
  });

  /** As cloud-init runs it, in a folder that stands for /usr/local/bin. */
  async function run(sha256: string): Promise<{ code: number; calls: string }> {
    const calls = path.join(dir, "calls");
    const bin = path.join(dir, "bin");
    writeFileSync(calls, "");
    const file = path.join(dir, "script");
    const filled = (script?.content ?? "")
      .replace("https://FILES.EXAMPLE.ORG/", shelf.url)
      .replace("SHA256_OF_THAT_FILE", sha256)
      .replace("https://LAB.EXAMPLE.ORG CODE_OF_THIS_WORKER", "https://lab bench:CODE")
      .replaceAll("/usr/local/bin", bin);
    expect(filled).not.toMatch(/[A-Z]+\.EXAMPLE|_OF_TH/);
    writeFileSync(file, filled);
    const env = { PATH: process.env["PATH"], CALLS: calls, BIN: bin, TMPDIR: dir };
    const code = await promisify(execFile)("sh", [file], { env }).then(
      () => 0,
      (error: { code: number }) => error.code,
    );
    return { code, calls: readFileSync(calls, "utf8") };
  }

  test("runs one script, which nobody else reads: the code is in it", () => {
    expect(text.startsWith("#cloud-config\n")).toBe(true);
    expect(script?.permissions).toBe("0700");
    expect(runcmd).toEqual([[script?.path]]);
  });

  test("installs the file that was meant, hardened, and enrols it", async () => {
    const sha256 = createHash("sha256").update(program).digest("hex");
    const calls = "install --hardened\nenrol https://lab bench:CODE\n";
    expect(await run(sha256)).toEqual({ code: 0, calls });
  });

  test("runs nothing of another file", async () => {
    expect(await run("0".repeat(64))).toEqual({ code: 1, calls: "" });
  });
});

test("Ansible installs what is not there, enrols it by a code, and never shows what it calls with one", () => {
  const command = "ansible.builtin.command";
  type Task = { when?: string; no_log?: boolean; block?: Task[]; [command]?: unknown };
  const [play] = parse(textOf("ansible/playbook.yaml")) as { tasks: Task[] }[];
  const tasks = (play?.tasks ?? []).flatMap(({ block, ...task }): Task[] => [
    task,
    ...(block ?? []).map((inner) => ({ ...inner, ...(task.when ? { when: task.when } : {}) })),
  ]);
  const called = (text: string) =>
    tasks.find((task) => JSON.stringify(task[command])?.includes(text));
  expect(called("install --hardened")?.when).toBe("not pumice_installed.stat.exists");
  expect(called("pumice_line.stdout")).toMatchObject({
    when: "not pumice_enrolled.stat.exists",
    no_log: true,
  });
});
