import { spawn } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, rmSync, watch } from "node:fs";
import { writeFileAtomic } from "../../worker/host/atomic-file.ts";
import { jobDirectoryAt } from "../../worker/host/job-directory.ts";

/** What a test asks of the runner, in the ticket's definition as a JSON list; a real definition gets `USUAL`. */
export type Step =
  | { log: number }
  | { result: string }
  /** Goes on when the test makes the file `go-NAME` in the job's folder; with `go-spoilt` the lab is at fault. */
  | { wait: string }
  /** Half a record, as a crash leaves it. */
  | { half: true }
  /** The final record without the result file. */
  | { final: true }
  | { die: true }
  | { print: string }
  /** Takes so many megabytes of memory and keeps them. */
  | { eat: number }
  /** As `eat`, by a process that it starts. */
  | { feed: number }
  /** A process of its own session that would outlive the runner. */
  | { orphan: true }
  /** From now on no SIGTERM is obeyed. */
  | { deaf: true };

const USUAL: Step[] = [{ log: 10 }, { wait: "on" }, { log: 10 }];

/**
 * Stands in for worker/runner.ts (agent-program.ts bundles it in its place): keeps the contract of
 * job-directory.ts and does as it is told.
 * @public
 */
export async function runJobDirectory(root: string): Promise<number> {
  const dir = jobDirectoryAt(root);
  const { definition } = JSON.parse(readFileSync(dir.ticket, "utf8")) as { definition: string };
  let lines = 0;
  let isDeaf = false;
  const eaten: Buffer[] = [];
  const append = (lvl: string, msg: unknown): void => {
    const dt = "2026-03-01T12:00:00.000000+00:00";
    appendFileSync(dir.log, `${JSON.stringify({ dt, lvl, msg })}\n`);
    lines++;
  };
  const end = (outcome: Record<string, string>): void => {
    append("results", { definition: "lava", case: "job", ...outcome });
    writeFileAtomic(dir.result, JSON.stringify({ ...outcome, lines }));
  };
  process.on("SIGTERM", () => {
    if (isDeaf) return append("info", "deaf");
    end({ result: "fail", error_type: "Canceled", error_msg: "stand-in canceled" });
    process.exit(0);
  });
  for (const step of definition.startsWith("[") ? (JSON.parse(definition) as Step[]) : USUAL) {
    if ("log" in step) for (let n = 0; n < step.log; n++) append("target", `line-${lines}`);
    if ("result" in step) {
      append("results", { definition: "0_x", case: step.result, result: "pass" });
    }
    if ("wait" in step && (await appears(root, `go-${step.wait}`, "go-spoilt")) === "go-spoilt") {
      end({ result: "fail", error_type: "Infrastructure", error_msg: "no power" });
      return 0;
    }
    if ("half" in step) appendFileSync(dir.log, '{"dt": "2026-03-01T12:00');
    if ("final" in step) append("results", { definition: "lava", case: "job", result: "pass" });
    if ("die" in step) process.kill(process.pid, "SIGKILL");
    if ("print" in step) process.stderr.write(`${step.print}\n`);
    if ("eat" in step) eaten.push(Buffer.alloc(step.eat * 1_000_000, 1));
    if ("feed" in step) feed(step.feed);
    if ("orphan" in step) spawn("sleep", ["1000"], { detached: true, stdio: "ignore" }).unref();
    if ("deaf" in step) isDeaf = true;
  }
  end({ result: "pass" });
  rmSync(dir.scratch, { recursive: true, force: true });
  return 0;
}

function feed(megabytes: number): void {
  const text = `const eaten = Buffer.alloc(${megabytes}e6, 1); setInterval(() => eaten, 1e6)`;
  spawn(process.execPath, ["-e", text], { stdio: "ignore" }).unref();
}

/** The first of these files that is there. */
async function appears(folder: string, ...names: string[]): Promise<string> {
  return new Promise((resolve) => {
    const look = (): void => {
      const found = names.find((name) => existsSync(`${folder}/${name}`));
      if (found === undefined) return;
      watcher.close();
      clearInterval(timer);
      resolve(found);
    };
    const watcher = watch(folder, look);
    const timer = setInterval(look, 100);
    look();
  });
}
