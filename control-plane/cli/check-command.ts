import path from "node:path";
import { isTaken } from "#protocol/check-job.ts";
import type { DeviceConfiguration } from "#protocol/device-configuration.ts";
import type { JobDefinition } from "#protocol/job-definition.ts";
import { checkFile, type CheckedFile, type Remark } from "./check-file.ts";
import { JSON_OPTION, UsageError, type Command, type Context } from "./command.ts";
import { deviceForJob } from "./device-for-job.ts";
import { explainStrategies, strategyLines, type ActionStrategies } from "./explain-strategies.ts";
import { printable } from "./printable.ts";
import { templateFolders } from "./template-folders.ts";
import { coloured } from "./terminal.ts";

export const checkCommand: Command = {
  usage: "check FILE...",
  about: "check jobs, device dictionaries and device types, without a control plane",
  isLocal: true,
  options: {
    ...JSON_OPTION,
    device: { type: "string" },
    strict: { type: "boolean" },
    templates: { type: "string", multiple: true },
  },
  help: [
    "FILE                a job, a dictionary or a device type (.jinja2), a device's configuration, a test definition",
    "--device FILE       a dictionary or configuration: which strategies take each job's actions on that device,",
    "                    and why the others don't; a job that has an action nobody takes is invalid",
    "--strict            what the strict schema finds is an error too; else it is a warning",
    "--templates DIR     own device types, before Pumice's; may be given again",
    "--json              an object per file: {file, kind, verdict: {submission, strict}, errors: [...]}",
    "",
    "Exits with 0 when all is well, 1 when a file is invalid, 2 when one can't be read.",
  ],
  run: check,
};

/** What `--json` prints of a file. `errors` has what makes a verdict `invalid`, of either check. */
interface Report {
  file: string;
  kind: CheckedFile["kind"];
  verdict: CheckedFile["verdict"];
  errors: Omit<Remark, "file">[];
  warnings: Omit<Remark, "file">[];
  strategies?: ActionStrategies[];
}

async function check(context: Context): Promise<number> {
  const { positionals, values, terminal } = context;
  if (positionals.length === 0) throw new UsageError("FILE is missing");
  const load = templateFolders([values["templates"] ?? []].flat().map(String));
  const device = typeof values["device"] === "string" ? values["device"] : undefined;
  let failed = 0;
  let told = 0;
  for (const file of positionals) {
    const checked = checkFile(file, load);
    const strategies = device === undefined ? undefined : strategiesOn(device, checked, load);
    const isBad = isInvalid(checked, values["strict"] === true, strategies);
    if (isBad) failed += 1;
    if (values["json"]) {
      terminal.out(JSON.stringify(reportOf(checked, strategies)));
      continue;
    }
    told += tell(context, checked, values["strict"] === true);
    for (const line of strategyLines(strategies ?? [])) terminal.out(printable(line));
  }
  if (!values["json"]) terminal.say(summary(positionals.length, failed, told));
  return failed > 0 ? 1 : 0;
}

function isInvalid(
  { verdict }: CheckedFile,
  isStrict: boolean,
  strategies: readonly ActionStrategies[] = [],
): boolean {
  if (verdict.submission === "invalid") return true;
  if (isStrict && verdict.strict === "invalid") return true;
  return strategies.some(({ strategies: all }) => !all.some(({ accepts }) => accepts));
}

function strategiesOn(
  device: string,
  { kind, definition }: CheckedFile,
  load: ReturnType<typeof templateFolders>,
): ActionStrategies[] | undefined {
  if (kind !== "job" || !definition) return undefined;
  const configuration: DeviceConfiguration = deviceForJob(device, definition, load);
  return explainStrategies(definition as JobDefinition, configuration);
}

const reportOf = (
  { file, kind, verdict, errors, strictErrors, warnings }: CheckedFile,
  strategies: ActionStrategies[] | undefined,
): Report => {
  const bare = ({ path: where, line, column, message }: Remark) => ({
    path: where,
    line,
    column,
    message,
  });
  return {
    file,
    kind,
    verdict,
    errors: [...errors, ...strictErrors].map(bare),
    warnings: warnings.map(bare),
    ...(strategies ? { strategies } : {}),
  };
};

/** As compilers do: `job.yaml:12:5: error: actions[0].deploy.to: …`. Returns how many lines were told. */
function tell({ terminal }: Context, checked: CheckedFile, isStrict: boolean): number {
  const said = [
    ...checked.errors.map((remark) => ({ ...remark, level: "error" as const })),
    ...checked.strictErrors
      .filter((remark) => isStrict || !isTaken(remark))
      .map((remark) => ({
        ...remark,
        level: isStrict ? ("error" as const) : ("warning" as const),
      })),
    ...checked.warnings.map((remark) => ({ ...remark, level: "warning" as const })),
  ].toSorted((a, b) => a.line - b.line || a.column - b.column);
  for (const { file, line, column, path: where, message, level } of said) {
    const colour = level === "error" ? "red" : "yellow";
    const place = printable(`${displayed(file)}:${line}:${column}:`);
    const what = printable(`${where ? `${where}: ` : ""}${message}`);
    terminal.out(`${place} ${coloured(terminal, colour, `${level}:`)} ${what}`);
  }
  return said.length;
}

/** Relative when that is shorter: editors jump to either. */
function displayed(file: string): string {
  const relative = path.relative(process.cwd(), file);
  return relative !== "" && relative.length < file.length ? relative : file;
}

function summary(files: number, failed: number, told: number): string {
  const many = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;
  if (failed > 0) return `${failed} of ${many(files, "file")} invalid`;
  return `${many(files, "file")} checked, ${told > 0 ? many(told, "warning") : "nothing to say"}`;
}
