import type { ErrorType } from "#protocol/failure.ts";

/** What the system says when it has no room: the worker's fault, and no bug. */
const FULL = new Set(["ENOSPC", "EDQUOT"]);

/** What a failure was told by: a regular expression, or the line of the log (from 0) that shows it. */
export interface Evidence {
  readonly pattern?: string;
  readonly line?: number;
}

/** The only error an action may throw on purpose; anything else becomes `Bug` in the engine. */
export class JobFailure extends Error {
  override readonly name = "JobFailure";
  readonly type: ErrorType;
  readonly evidence: Evidence | undefined;

  constructor(
    type: ErrorType,
    message: string,
    options: { cause?: unknown; evidence?: Evidence } = {},
  ) {
    super(message, options);
    this.type = type;
    this.evidence = options.evidence;
  }

  static from(error: unknown): JobFailure {
    if (error instanceof JobFailure) return error;
    const message = error instanceof Error ? error.message : String(error);
    if (FULL.has((error as NodeJS.ErrnoException | undefined)?.code ?? "")) {
      const full = `the worker's disk is full: ${message}`;
      return new JobFailure("Infrastructure", full, { cause: error });
    }
    return new JobFailure("Bug", message, { cause: error });
  }
}
