import type { SourceProblem } from "#protocol/api.ts";
import { checkJob, checkJobBriefly } from "#protocol/check-job.ts";
import type { JobDefinition, ReadJobDefinition } from "#protocol/job-definition.ts";
import { resolveDeviceType } from "./aliases.ts";
import { AppError } from "./app-error.ts";
import { checkGroup } from "./check-group.ts";
import { checkSubmission } from "./check-submission.ts";
import type { Deps } from "./deps.ts";
import { isMultinode, type Role } from "./group-roles.ts";
import { MAX_DEFINITION_BYTES } from "./jobs.ts";
import { notifyWarnings, queryWarnings } from "./notices/check-notify.ts";
import type { User } from "./principal.ts";
import { sightOf } from "./visible.ts";

/** A definition as a submission of this user's would find it. */
export interface CheckedText {
  /** Why it would be refused; none: it is accepted. */
  problems: SourceProblem[];
  /** What it says without effect, or other than it is meant, and where. */
  warnings: SourceProblem[];
  /** The same of no place in the text. */
  said: string[];
  /** With the device type that an alias stands for; undefined for a text that is none. */
  definition?: JobDefinition;
  /** Of a multinode job, if they can be read. */
  roles?: Role[];
}

const encoder = new TextEncoder();

/** All that a submission asks of a definition; stores nothing. `warns`: somebody is told all warnings. Throws `too_large`. */
export async function checkText(
  deps: Deps,
  user: User,
  text: string,
  warns: boolean,
): Promise<CheckedText> {
  if (encoder.encode(text).length > MAX_DEFINITION_BYTES) {
    throw new AppError("too_large", `a job definition has at most ${MAX_DEFINITION_BYTES} bytes`);
  }
  const read = warns ? checkJob(text) : checkJobBriefly(text);
  const { problems, warnings } = read;
  if (!read.definition) return { problems, warnings, said: [] };
  const definition = await withRealType(deps, read.definition);
  if (problems.length > 0) return { problems, warnings, said: [], definition };
  const here = await checkHere(deps, user, definition, read.locate);
  const said = [
    ...(here.roles ? groupWarnings(definition) : []),
    ...notifyWarnings(definition.notify),
    ...(await queryWarnings(deps, definition.notify, user.name)),
  ];
  return { warnings, said, definition, ...here };
}

/** What only this lab can know about it; with its roles, if it is a multinode job. */
async function checkHere(
  deps: Deps,
  user: User,
  definition: JobDefinition,
  locate: ReadJobDefinition["locate"],
): Promise<{ problems: SourceProblem[]; roles?: Role[] }> {
  const sight = await sightOf(deps, user);
  if (isMultinode(definition)) return checkGroup(deps, sight, definition, locate);
  return { problems: await checkSubmission(deps, sight, definition, locate) };
}

/** What a multinode job says that has no effect. */
function groupWarnings({ retry_on }: JobDefinition): string[] {
  if (retry_on === undefined) return [];
  return ["retry_on: a job of a multinode group is not tried again, as the others have gone on"];
}

/** The text that was submitted stays as it is. */
async function withRealType(deps: Deps, definition: JobDefinition): Promise<JobDefinition> {
  const { device_type } = definition;
  if (device_type === undefined) return definition;
  return { ...definition, device_type: await resolveDeviceType(deps, device_type) };
}
