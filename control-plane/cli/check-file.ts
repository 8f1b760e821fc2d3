import path from "node:path";
import type { SourceProblem } from "#protocol/api.ts";
import { readDeviceConfiguration } from "#protocol/device-configuration.ts";
import { checkJob } from "#protocol/check-job.ts";
import type { JobDefinition } from "#protocol/job-definition.ts";
import { readYaml } from "#protocol/read-yaml.ts";
import { readTestDefinition } from "#protocol/test-definition.ts";
import type { Loader } from "../templates/frame.ts";
import { renderDevice, type TemplateRemark } from "../templates/render-device.ts";
import { readNamedFile } from "./command.ts";
import { fileKind, type FileKind } from "./file-kind.ts";

/** Something to say about a file; `file` is another one when a template is to blame. */
export interface Remark extends SourceProblem {
  file: string;
}

export interface CheckedFile {
  file: string;
  kind: FileKind;
  /**
   * Of a job: LAVA's gate at submission and the strict schema (JOB.md 0). Of a device: what a worker needs and what
   * a server wants of its configuration (DEVICE.md 1.1). Of anything else both are the same.
   */
  verdict: { submission: "ok" | "invalid"; strict: "ok" | "invalid" };
  /** Why it is invalid for submission. */
  errors: Remark[];
  /** What only the strict check finds. */
  strictErrors: Remark[];
  warnings: Remark[];
  /** Of a job that is valid. */
  definition?: JobDefinition;
}

/** Reads one file and says everything that is wrong with it. Throws a UsageError when it can't be read. */
export function checkFile(file: string, load: Loader): CheckedFile {
  const text = readNamedFile(file);
  const isTemplate = file.endsWith(".jinja2");
  const kind = fileKind(file, text, isTemplate ? undefined : readYaml(text).value);
  const here = (problems: readonly SourceProblem[]) => problems.map((one) => ({ ...one, file }));
  switch (kind) {
    case "job": {
      const { problems, strict, warnings, definition } = checkJob(text);
      // Of what is refused anyhow the strict schema says the same again.
      const told = new Set(problems.map((problem) => problem.path));
      const strictErrors = strict.filter((one) => !told.has(one.path));
      const checked = judged(file, kind, {
        errors: here(problems),
        strictErrors: here(strictErrors),
      });
      return {
        ...checked,
        verdict: { ...checked.verdict, strict: strict.length > 0 ? "invalid" : "ok" },
        warnings: here(warnings.filter((warning) => !strict.includes(warning))),
        ...(definition ? { definition } : {}),
      };
    }
    case "test-definition":
      return judged(file, kind, { errors: here(readTestDefinition(text).problems) });
    case "configuration": {
      const { problems, strict } = readDeviceConfiguration(text);
      return judged(file, kind, { errors: here(problems), strictErrors: here(strict) });
    }
    case "device":
    case "device-type":
      return checkTemplate(file, kind, text, load);
  }
}

/** Renders it as it is, without a job's context: a dictionary, or a device type of which nothing is set. */
function checkTemplate(
  file: string,
  kind: "device" | "device-type",
  text: string,
  load: Loader,
): CheckedFile {
  const name = path.basename(file);
  const rendered = renderDevice({ name, dictionary: text, loader: load });
  const placed = ({ template, line, message }: TemplateRemark): Remark => {
    return { file: template === name ? file : template, path: "", line, column: 1, message };
  };
  const warnings = rendered.warnings.map(placed);
  if (rendered.problems.length > 0) {
    return { ...judged(file, kind, { errors: rendered.problems.map(placed) }), warnings };
  }
  const { problems, strict } = readDeviceConfiguration(rendered.text);
  if (problems.length + strict.length === 0)
    return { ...judged(file, kind, { errors: [] }), warnings };
  // Only now is it worth knowing where each value comes from.
  const { originAt } = renderDevice({ name, dictionary: text, loader: load, withOrigins: true });
  const traced = ({ path: where, line, column, message }: SourceProblem): Remark => {
    const start = offsetAt(rendered.text, line, column);
    const origin = originAt(start, endOfLine(rendered.text, start));
    const place = placed({ template: name, line: 1, ...origin, message });
    return { ...place, path: where };
  };
  const found = { errors: problems.map(traced), strictErrors: strict.map(traced) };
  return { ...judged(file, kind, found), warnings };
}

function offsetAt(text: string, line: number, column: number): number {
  const before = text.split("\n").slice(0, line - 1);
  return before.reduce((offset, { length }) => offset + length + 1, column - 1);
}

const endOfLine = (text: string, from: number): number => {
  const end = text.indexOf("\n", from);
  return end < 0 ? text.length : end;
};

function judged(
  file: string,
  kind: FileKind,
  { errors, strictErrors = [] }: { errors: Remark[]; strictErrors?: Remark[] },
): CheckedFile {
  const verdict = {
    submission: errors.length > 0 ? "invalid" : "ok",
    strict: errors.length + strictErrors.length > 0 ? "invalid" : "ok",
  } as const;
  return { file, kind, verdict, errors, strictErrors, warnings: [] };
}
