import { parse, required, UsageError } from "./command-line.ts";

/** `pumice-worker run`: one job here, or its plan. */
export async function run(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, {
    device: { type: "string" },
    dispatcher: { type: "string" },
    json: { type: "boolean" },
    output: { type: "string" },
    plan: { type: "boolean" },
    templates: { type: "string", multiple: true },
  });
  const [jobFile, ...more] = positionals;
  if (!jobFile || more.length > 0) throw new UsageError("run: expected exactly one job file");
  const { dispatcher, output, templates = [] } = values;
  const files = {
    jobFile,
    deviceFile: required(values, "device"),
    templates,
    ...(dispatcher ? { dispatcherFile: dispatcher } : {}),
  };
  const { planLocal, runLocal } = await import("../run-local.ts");
  if (values.plan) return planLocal(files, values.json === true);
  return runLocal({ ...files, ...(output ? { outputDir: output } : {}) });
}
