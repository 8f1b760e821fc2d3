import type { LabWorker, WorkerTextName } from "#protocol/lab.ts";
import { readWorkerEnvironment } from "#protocol/worker-environment.ts";
import { readYaml } from "#protocol/read-yaml.ts";
import type { Operation } from "../ports/table.ts";
import type { By } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { changeText } from "./texts.ts";
import type { WorkerSettings } from "./worker-record.ts";

const MAX_SETTINGS_BYTES = 300 * 1024;

/** What is wrong with a worker's texts. They travel in one item of the table, so they share its size. */
export function workerTextProblems(
  settings: LabWorker,
): { field: string; line: number; message: string }[] {
  const fields = ["dispatcher", "env", "env_dut"] as const;
  const size = new TextEncoder().encode(JSON.stringify(fields.map((field) => settings[field])));
  if (size.length > MAX_SETTINGS_BYTES) {
    const message = `a worker's texts have at most ${MAX_SETTINGS_BYTES} bytes together`;
    return [{ field: fields[0], line: 1, message }];
  }
  return fields.flatMap((field) => {
    const { value, problems } = readYaml(settings[field]);
    const [problem] = problems;
    if (problem) return [{ field, line: problem.line, message: problem.message }];
    if (field !== "dispatcher") {
      return readWorkerEnvironment(settings[field]).problems.map((found) => ({
        field,
        line: found.line,
        message: found.message,
      }));
    }
    const isMapping = typeof (value ?? {}) === "object" && !Array.isArray(value);
    return isMapping ? [] : [{ field, line: 1, message: "expected a mapping" }];
  });
}

/** For rules that write several texts at once: the versions of those that are new. */
export async function newVersions(
  deps: Deps,
  worker: string,
  [old, texts]: readonly [WorkerSettings, WorkerSettings],
  { who, reason }: By,
): Promise<Operation[]> {
  const operations: Operation[] = [];
  for (const field of ["dispatcher", "env", "env_dut"] as const) {
    if (old[field] === texts[field]) continue;
    const change = await changeText(deps, {
      kind: "worker",
      name: textNameOf(worker, field),
      text: texts[field],
      user: who,
      ...(reason === undefined ? {} : { comment: reason }),
    });
    operations.push(...change.operations);
  }
  return operations;
}

/** Of one of a worker's texts among all texts (keys.ts). */
export const textNameOf = (worker: string, field: WorkerTextName): string => `${worker}/${field}`;
