import * as v from "valibot";
import type { SourceProblem } from "./api.ts";
import { readJob, type ReadJobDefinition } from "./job-definition.ts";
import { jobSchema } from "./job-schema/job.ts";
import type { Strength } from "./job-schema/strength.ts";
import { readYaml, type ReadYaml } from "./read-yaml.ts";
import { sourceProblems } from "./source-problems.ts";

export interface JobVerdict {
  verdict: "ok" | "invalid";
  problems: SourceProblem[];
}

export interface CheckedJob extends ReadJobDefinition {
  /** What the strict schema finds; it may be content with a job that the gate refuses. */
  strict: SourceProblem[];
}

/**
 * Reads a job as a submission does: what LAVA's gate refuses is a problem, and what its strict schema refuses a
 * warning (JOB.md 0), told of a job that is let in; not what works all the same. Never throws.
 */
export function checkJob(source: string): CheckedJob {
  const yaml = readYaml(source);
  const read = readJob(yaml);
  const strict = validateJob(yaml, "strict").problems;
  const told = strict.filter((problem) => !isTaken(problem));
  const warnings = read.problems.length > 0 ? read.warnings : [...read.warnings, ...told];
  return { ...read, warnings, strict };
}

/** The same without what only the strict schema has to say, for who tells nobody: it takes half as long. Never throws. */
export const checkJobBriefly = (source: string): ReadJobDefinition => readJob(readYaml(source));

/** Keys that LAVA's strict schema leaves out, though it takes them, as Pumice does (JOB.md 0). */
const TAKEN =
  /^actions\[\d+\]\.(?:test\.definitions\[\d+\]\.param(?:eter)?s|(?:boot|deploy)\.connection)$/;

/** Whether a problem of the strict schema is none of the job's. */
export const isTaken = ({ path, message }: SourceProblem): boolean =>
  message.startsWith("unknown key") && TAKEN.test(path);

/** LAVA's full schema on a job (JOB.md 0), its text or what was read of it. Never throws. */
export function validateJob(source: string | ReadYaml, strength: Strength): JobVerdict {
  const { value, problems, locate } = typeof source === "string" ? readYaml(source) : source;
  if (problems.length > 0) return { verdict: "invalid", problems };
  const { issues } = v.safeParse(schemaOf(strength), value);
  if (!issues) return { verdict: "ok", problems: [] };
  return { verdict: "invalid", problems: sourceProblems(issues, locate) };
}

const schemas = new Map<Strength, v.GenericSchema>();

/** Made when first asked for: most programs ask for one of them at most. */
function schemaOf(strength: Strength): v.GenericSchema {
  const schema = schemas.get(strength) ?? jobSchema(strength).job;
  schemas.set(strength, schema);
  return schema;
}
