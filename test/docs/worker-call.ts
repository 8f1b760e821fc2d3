import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import type { Call, Ended } from "./page-shell.ts";

const program = path.resolve(import.meta.dirname, "../../worker/main.ts");

/** A call of `pumice-worker`, as a process of its own. What the doctor finds wrong with this machine is no fault of the page. */
export async function runWorker({ words, env, folder, input }: Call): Promise<Ended> {
  const state = { PUMICE_WORK_DIR: path.join(folder, "work") };
  const child = spawn(process.execPath, [program, ...words], {
    cwd: folder,
    env: { ...env, ...state },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let out = "";
  let said = "";
  child.stdout.on("data", (data: Buffer) => (out += data.toString()));
  child.stderr.on("data", (data: Buffer) => (said += data.toString()));
  child.stdin.end(input);
  const [code] = (await once(child, "close")) as [number | null];
  const isDiagnosis = words[0] === "doctor" && code === 1 && /^(ok|wrong|missing) /m.test(out);
  return { code: isDiagnosis ? 0 : (code ?? 98), out, said };
}
