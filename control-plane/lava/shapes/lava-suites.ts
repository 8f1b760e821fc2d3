import type { SuiteView } from "#protocol/results.ts";
import { caseIdOf } from "./lava-ids.ts";

/** LAVA's number for a suite: of the job and of the line of its first case. */
export const suiteIdOf = (job: number, { first_line }: Pick<SuiteView, "first_line">): number =>
  caseIdOf(job, first_line);
