import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = path.resolve(import.meta.dirname, "../..");
const dir = mkdtempSync(path.join(tmpdir(), "pumice-signals-"));
const program = path.join(dir, "program.cjs");

/** Says why it was canceled, each time, and what its input tells it to do. */
const SOURCE = `
  import { cancelSignals } from "./worker/host/cancel-signals.ts";
  const { cancel, cancelAgain } = cancelSignals();
  const tell = ({ reason }) => console.log(reason.type + ": " + reason.message);
  cancel.addEventListener("abort", () => tell(cancel));
  cancelAgain.addEventListener("abort", () => { tell(cancelAgain); process.exit(); });
  process.stdin.on("data", (data) => {
    if (String(data).includes("throw")) setTimeout(() => { throw new TypeError("no such thing"); });
    else void Promise.reject(new Error("nobody listens"));
  });
  console.log("ready");`;

beforeAll(async () => {
  await build({
    stdin: { contents: SOURCE, resolveDir: root, loader: "ts" },
    outfile: program,
    bundle: true,
    platform: "node",
    target: "node20",
  });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function run(act: (child: ReturnType<typeof spawn>, heard: number) => void): Promise<string> {
  const child = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (data: Buffer) => {
    text += data.toString();
    act(child, text.trim().split("\n").length);
  });
  await once(child, "close");
  return text;
}

test("the first signal cancels, the second has no patience", async () => {
  const text = await run((child, heard) => void child.kill(heard === 1 ? "SIGTERM" : "SIGINT"));
  expect(text).toBe(
    "ready\nCanceled: The job was canceled\nCanceled: The job was canceled again (too long to cancel)\n",
  );
});

test("an error that nobody caught stops the job as a Bug instead of the process", async () => {
  const text = await run((child, heard) => {
    child.stdin?.write(heard === 1 ? "throw\n" : "reject\n");
  });
  expect(text).toBe("ready\nBug: no such thing\nBug: nobody listens\n");
});
