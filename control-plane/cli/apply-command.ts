import { mkdirSync } from "node:fs";
import path from "node:path";
import type { LabApplied, LabChange, LabPlan } from "#protocol/lab.ts";
import {
  argumentsOf,
  JSON_OPTION,
  textOf,
  UsageError,
  type Command,
  type Context,
} from "./command.ts";
import {
  readLabDirectory,
  type FileRemark,
  type ReadLabDirectory,
} from "./lab-directory/read-lab-directory.ts";
import { appliedSummary, planSummary, planText } from "./plan-text.ts";
import { printable } from "./printable.ts";
import { newPrivateFile, type PrivateFile } from "./private-file.ts";

export const applyCommand: Command = {
  usage: "apply -f DIR",
  about: "make the lab what files say: shows the plan, asks, applies it (docs/lab-as-code.md)",
  options: {
    ...JSON_OPTION,
    file: { type: "string", short: "f" },
    prune: { type: "boolean" },
    yes: { type: "boolean", short: "y" },
    "dry-run": { type: "boolean" },
    comment: { type: "string", short: "m" },
    "write-tokens": { type: "string" },
  },
  help: [
    "-f, --file DIR      the directory with the lab's files",
    "--prune             remove what a file or folder of DIR does not name; what has no file is left alone",
    "--dry-run           only show the plan",
    "-y, --yes           don't ask",
    "-m, --comment TEXT  kept with each dictionary, template and health check that changes",
    "--write-tokens DIR  write the tokens of new workers there (mode 0600) instead of printing them",
    "--json              print the plan (--dry-run) or what was done (--yes) as JSON",
    "",
    "Exits with 0 when the lab is as the files say, 1 when the files are wrong or you said no, 2 when the",
    "control plane refused or can't be reached.",
  ],
  run: apply,
};

async function apply(context: Context): Promise<number> {
  const { terminal, values, signal } = context;
  const dir = directoryOf(context);
  const read = readLabDirectory(dir);
  tell(context, dir, read.warnings, "warning");
  tell(context, dir, read.problems, "error");
  if (read.lab === undefined) return 1;
  const client = context.client();
  const request = { lab: read.lab, prune: values["prune"] === true };
  const plan = await client.json<LabPlan>("POST", "/lab/plan", request);
  if (values["json"] && values["dry-run"]) terminal.out(JSON.stringify(plan, undefined, 2));
  tell(context, dir, placed(read, plan.warnings), "warning");
  tell(context, dir, placed(read, plan.errors), "error");
  if (plan.errors.length > 0) {
    terminal.say("The lab can't be as these files say; nothing was changed.");
    return 1;
  }
  if (!values["json"]) showPlan(context, plan.changes);
  if (values["dry-run"] || plan.changes.length === 0) {
    if (values["json"] && !values["dry-run"]) return printApplied(context, NOTHING_DONE, new Map());
    return 0;
  }
  if (!values["yes"] && !(await isAgreed(context))) {
    terminal.say("Nothing was changed.");
    return 1;
  }
  signal.throwIfAborted();
  const files = tokenFiles(context, plan.changes);
  const comment = textOf(values, "comment") ?? "";
  try {
    const ask = { ...request, revision: plan.revision, comment };
    const applied = await client.json<LabApplied>("POST", "/lab/apply", ask);
    return printApplied(context, applied, files);
  } catch (error) {
    for (const file of files.values()) file.discard();
    throw error;
  }
}

const NOTHING_DONE: LabApplied = { changes: [], warnings: [], worker_tokens: {} };

function directoryOf(context: Context): string {
  argumentsOf(context);
  const { values } = context;
  const dir = textOf(values, "file");
  if (!dir) throw new UsageError("--file DIR is missing");
  if (values["json"] && !values["yes"] && !values["dry-run"]) {
    throw new UsageError("--json asks nothing: give --yes or --dry-run too");
  }
  return dir;
}

function showPlan({ terminal }: Context, changes: readonly LabChange[]): void {
  if (changes.length === 0) {
    terminal.out("The lab is as the files say: nothing to do.");
    return;
  }
  terminal.out(planText(terminal, changes));
  terminal.out(planSummary(changes));
}

async function isAgreed({ terminal, signal }: Context): Promise<boolean> {
  if (!terminal.ask) {
    throw new UsageError("there is nobody to ask: give --yes to apply the plan above");
  }
  return /^y(es)?$/i.test((await terminal.ask("Apply? [y/N] ", signal)).trim());
}

/** Opened before anything is done: a token that can't be written would be lost. */
function tokenFiles({ values }: Context, changes: readonly LabChange[]): Map<string, PrivateFile> {
  const dir = textOf(values, "write-tokens");
  if (dir === undefined) return new Map();
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  return new Map(
    changes
      .filter(({ section, action }) => section === "workers" && action === "create")
      .map(({ name }) => [name, newPrivateFile(path.join(dir, `${name}.token`))]),
  );
}

function printApplied(
  { terminal, values }: Context,
  applied: LabApplied,
  files: ReadonlyMap<string, PrivateFile>,
): number {
  const tokens = Object.entries(applied.worker_tokens);
  for (const [name, token] of tokens) files.get(name)?.write(`${token}\n`);
  if (values["json"]) {
    const shown = files.size === 0 ? applied : { ...applied, worker_tokens: {} };
    terminal.out(JSON.stringify(shown, undefined, 2));
    return 0;
  }
  terminal.say(`Applied: ${appliedSummary(applied.changes)}`);
  if (tokens.length === 0) return 0;
  if (files.size > 0) {
    terminal.say(
      `The tokens of ${tokens.length} new workers are in ${textOf(values, "write-tokens")}`,
    );
    return 0;
  }
  for (const [name, token] of tokens) terminal.out(`token of worker ${name}: ${token}`);
  terminal.say(
    "This is the only time these tokens are shown. Put each into a file on its worker's machine, for pumice-worker start --token-file FILE.",
  );
  return 0;
}

const placed = ({ placeOf }: ReadLabDirectory, remarks: LabPlan["errors"]): FileRemark[] =>
  remarks.map((remark) => {
    const { section, name, field, message } = remark;
    return { ...placeOf(remark), path: [section, name, field].filter(Boolean).join("/"), message };
  });

/** As compilers do: `lab/devices.yaml:3:3: error: qemu-01.worker: ...`. */
function tell(
  { terminal }: Context,
  dir: string,
  remarks: readonly FileRemark[],
  level: "error" | "warning",
): void {
  for (const { file, line, column, path: where, message } of remarks) {
    const place = `${path.join(dir, file)}:${line}:${column}`;
    terminal.say(printable(`${place}: ${level}: ${where ? `${where}: ` : ""}${message}`));
  }
}
